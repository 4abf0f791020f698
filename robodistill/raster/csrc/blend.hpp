// Front-to-back blending of a 4x2 block of pixels, eight lanes at once, and its gradients.
//
// A block is marched once: for each Gaussian that reaches it, alpha and the transmittance before it are kept, eight lanes
// each. What follows are small dense products over that list (list x channels, list x pixels), so that 64 channels run at
// the speed of multiply-adds. With v = dL/dC, u = dL/dalpha, s_i = <c_i, v>, S_i = sum_{j>i} w_j s_j (a scalar per pixel):
//   dL/da_i = T_i s_i + (T_end u - S_i) / (1 - a_i),  dL/dc_i = sum_pixels w_i v.
#pragma once
#include <vector>

#include "bin.hpp"

namespace rd {

// Lists of one thread, reused from block to block.
template <class T> struct Scratch {
  std::vector<Splat<T>> splats;       // the tile's, in depth order
  std::vector<int32_t> candidates;    // for each block, indices into `splats` whose ellipse covers it
  int listed[kBlocks];                // how many
  int x0, y0;                         // the tile's first pixel
  std::vector<T> cells;               // weight of each of the tile's Gaussians in each cell of a grid
  std::vector<int32_t> hit;           // those that some pixel takes
  std::vector<const T *> row;         // their feature rows
  std::vector<T> alpha, before, weight, dot;  // kLanes each per hit
  std::vector<T> moments, channels;   // gradients of the tile's Gaussians
  void reserve(size_t n) {
    splats.resize(n);
    candidates.resize(n * kBlocks);
    hit.resize(n);
    row.resize(n);
    for (auto *v : {&alpha, &before, &weight, &dot}) v->resize(n * kLanes);
  }
};

template <class T> struct Block {
  Vec<T> x, y;       // pixel centres
  Mask<T> inside;    // of the image
  int64_t pixel[kLanes];  // index into the image, -1 outside
};

template <class T> inline Block<T> block_at(int x0, int y0, int width, int height) {
  Block<T> b;
  for (int i = 0; i < kLanes; ++i) {
    const int x = x0 + i % kBlockWidth, y = y0 + i / kBlockWidth;
    b.x[i] = T(x) + T(0.5);
    b.y[i] = T(y) + T(0.5);
    b.pixel[i] = x < width && y < height ? int64_t(y) * width + x : -1;
    b.inside[i] = b.pixel[i] >= 0 ? -1 : 0;
  }
  return b;
}

// Lists, block after block, of the tile's Gaussians that cover it.
template <class T> inline void list_candidates(const Entry *entries, int n, Scratch<T> &s) {
  std::fill_n(s.listed, kBlocks, 0);
  for (int i = 0; i < n; ++i)
    for (uint32_t left = entries[i].blocks; left; left &= left - 1) {
      const int block = __builtin_ctz(left);
      s.candidates[size_t(block) * n + s.listed[block]++] = i;
    }
}

// Fills `hit` and `weight`, and for gradients `alpha` (0 where a lane skips) and `before`; returns their number and
// leaves the last transmittance. A pixel of which no more than `rest` is left is done.
template <class T, bool kGradients> inline int march(const Block<T> &b, const int32_t *candidates, int n, T rest, Scratch<T> &s, Vec<T> &transmittance) {
  typedef Vec<T> V;
  typedef Mask<T> M;
  V through = splat(T(1));
  M open = b.inside;
  int count = 0;
  for (int c = 0; c < n; ++c) {
    const Splat<T> &g = s.splats[candidates[c]];
    const V dx = g.mx - b.x, dy = g.my - b.y;
    const V power = g.peak - dx * (g.A * dx + g.B * dy) - dy * (g.C * dy);
    M take = open & (power >= T(kCut)) & (power <= g.peak);
    if (!any(take)) continue;
    const V raw = exp2_of(power), a = raw < T(0.999) ? raw : splat(T(0.999));
    const V next = through - through * a;
    const M stop = take & (next <= T(1e-4));
    take &= ~stop;
    const V kept = take ? a : V{};
    if (kGradients) {
      store(&s.alpha[count * kLanes], kept);
      store(&s.before[count * kLanes], through);
    }
    store(&s.weight[count * kLanes], kept * through);
    s.hit[count++] = candidates[c];
    through = take ? next : through;
    open &= ~stop & (through > rest);
    if (!any(open)) break;
  }
  transmittance = through;
  return count;
}

// out[j] = sum over the list of weight * feature, for N channels.
template <class T, int N> inline void accumulate(int count, const Scratch<T> &s, int channel, Vec<T> *out) {
  Vec<T> acc[N] = {};
  for (int k = 0; k < count; ++k) {
    const Vec<T> w = load(&s.weight[k * kLanes]);
    const T *row = s.row[k] + channel;
    for (int j = 0; j < N; ++j) acc[j] += w * row[j];
  }
  for (int j = 0; j < N; ++j) out[j] = acc[j];
}

// dot[k] += <feature, v> over N channels.
template <class T, int N> inline void add_dots(int count, Scratch<T> &s, int channel, const Vec<T> *v) {
  Vec<T> held[N];
  for (int j = 0; j < N; ++j) held[j] = v[j];
  for (int k = 0; k < count; ++k) {
    const T *row = s.row[k] + channel;
    Vec<T> even = load(&s.dot[k * kLanes]), odd = {};
    for (int j = 0; j < N; ++j) (j % 2 ? odd : even) += held[j] * row[j];
    store(&s.dot[k * kLanes], even + odd);
  }
}

// Calls f<N> with N = min(8, left) so that the channel loops unroll.
#define RD_BY_CHANNELS(left, call)                                                                            \
  switch (left) {                                                                                             \
    case 1: { constexpr int N = 1; call; break; }                                                             \
    case 2: { constexpr int N = 2; call; break; }                                                             \
    case 3: { constexpr int N = 3; call; break; }                                                             \
    case 4: { constexpr int N = 4; call; break; }                                                             \
    case 5: { constexpr int N = 5; call; break; }                                                             \
    case 6: { constexpr int N = 6; call; break; }                                                             \
    case 7: { constexpr int N = 7; call; break; }                                                             \
    default: { constexpr int N = 8; call; break; }                                                            \
  }

template <class T> inline void blend_forward(const Block<T> &b, int count, Scratch<T> &s, int channels, Vec<T> transmittance, T *image, T *alpha) {
  for (int c0 = 0; c0 < channels; c0 += 8) {
    const int left = std::min(8, channels - c0);
    Vec<T> out[8];
    RD_BY_CHANNELS(left, (accumulate<T, N>(count, s, c0, out)))
    for (int i = 0; i < kLanes; ++i)
      if (b.pixel[i] >= 0)
        for (int j = 0; j < left; ++j) image[b.pixel[i] * channels + c0 + j] = out[j][i];
  }
  for (int i = 0; i < kLanes; ++i)
    if (b.pixel[i] >= 0) alpha[b.pixel[i]] = 1 - transmittance[i];
}

// Adds, for each Gaussian of the block, the sums over pixels of g, g dx, g dy, g dx^2, g dx dy, g dy^2 with
// g = dL/dsigma, sigma = -ln(alpha / opacity): all that the centre, conic and opacity need. Kept as eight lanes until the tile is done.
template <class T>
inline void blend_backward_shape(const Block<T> &b, int count, Scratch<T> &s, int channels, Vec<T> transmittance, const T *v_image, const T *v_alpha) {
  typedef Vec<T> V;
  std::fill(s.dot.begin(), s.dot.begin() + count * kLanes, T(0));
  for (int c0 = 0; c0 < channels; c0 += 8) {
    const int left = std::min(8, channels - c0);
    V v[8] = {};
    for (int i = 0; i < kLanes; ++i)
      if (b.pixel[i] >= 0)
        for (int j = 0; j < left; ++j) v[j][i] = v_image[b.pixel[i] * channels + c0 + j];
    RD_BY_CHANNELS(left, (add_dots<T, N>(count, s, c0, v)))
  }
  V u = {}, behind = {};
  for (int i = 0; i < kLanes; ++i)
    if (b.pixel[i] >= 0) u[i] = v_alpha[b.pixel[i]];
  u *= transmittance;
  for (int k = count - 1; k >= 0; --k) {
    const V a = load(&s.alpha[k * kLanes]), dot = load(&s.dot[k * kLanes]);
    const V d_alpha = load(&s.before[k * kLanes]) * dot + (u - behind) / (1 - a);
    behind += load(&s.weight[k * kLanes]) * dot;
    const V g = a < T(0.999) ? -a * d_alpha : V{};  // a is 0 where the lane skipped, constant where it was clamped
    const Splat<T> &splat = s.splats[s.hit[k]];
    const V dx = splat.mx - b.x, dy = splat.my - b.y, gx = g * dx, gy = g * dy;
    T *m = &s.moments[size_t(s.hit[k]) * 6 * kLanes];
    store(m, load(m) + g);
    store(m + kLanes, load(m + kLanes) + gx);
    store(m + 2 * kLanes, load(m + 2 * kLanes) + gy);
    store(m + 3 * kLanes, load(m + 3 * kLanes) + gx * dx);
    store(m + 4 * kLanes, load(m + 4 * kLanes) + gx * dy);
    store(m + 5 * kLanes, load(m + 5 * kLanes) + gy * dy);
  }
}

// Adds w v for `width` channels from `first` to the tile's rows of `channels`. A few channels are kept as eight pixels each
// until the tile is done; more as sums, eight channels at a time.
constexpr int kFewChannels = 4;

template <class T, int N>
inline void add_few_channels(const Vec<T> *v, int count, Scratch<T> &s) {
  Vec<T> held[N];
  for (int j = 0; j < N; ++j) held[j] = v[j];
  for (int k = 0; k < count; ++k) {
    const Vec<T> w = load(&s.weight[k * kLanes]);
    T *out = &s.channels[size_t(s.hit[k]) * N * kLanes];
    for (int j = 0; j < N; ++j) store(out + j * kLanes, load(out + j * kLanes) + w * held[j]);
  }
}

template <class T>
inline void blend_backward_channels(const Block<T> &b, int count, Scratch<T> &s, int channels, int first, int width, const T *v_image) {
  Vec<T> v[kLanes] = {};
  if (width <= kFewChannels) {
    for (int i = 0; i < kLanes; ++i)
      if (b.pixel[i] >= 0)
        for (int j = 0; j < width; ++j) v[j][i] = v_image[b.pixel[i] * channels + first + j];
    RD_BY_CHANNELS(width, (add_few_channels<T, N>(v, count, s)))
    return;
  }
  const int stride = (width + 7) / 8 * 8;
  for (int c0 = 0; c0 < width; c0 += 8) {
    const int left = std::min(8, width - c0);
    for (int i = 0; i < kLanes; ++i)
      for (int j = 0; j < kLanes; ++j)
        v[i][j] = b.pixel[i] >= 0 && j < left ? v_image[b.pixel[i] * channels + first + c0 + j] : T(0);
    for (int k = 0; k < count; ++k) {
      const T *w = &s.weight[k * kLanes];
      T *out = &s.channels[size_t(s.hit[k]) * stride + c0];
      Vec<T> even = load(out), odd = {};
      for (int i = 0; i < kLanes; i += 2) {
        even += w[i] * v[i];
        odd += w[i + 1] * v[i + 1];
      }
      store(out, even + odd);
    }
  }
}

// Numbers kept per Gaussian of a tile, and the finished sums of one of them.
inline int channel_stride(int width) { return width <= kFewChannels ? width * kLanes : (width + 7) / 8 * 8; }
template <class T> inline void finish_channels(const T *kept, int width, T *out) {
  if (width > kFewChannels) std::copy_n(kept, width, out);
  else
    for (int j = 0; j < width; ++j) out[j] = sum<T>(load(kept + j * kLanes));
}

}  // namespace rd
