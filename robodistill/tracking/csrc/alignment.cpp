#include "alignment.hpp"

#define RD_EXPORT extern "C" __attribute__((visibility("default")))

namespace rd {

Alignment::Alignment(const Scene &scene) : s(scene), P(scene.parts), n(scene.size.pixels()) {
  read();
  layer();
  light();
  compare();
}

// Planes of the picture and of the parts, each on its own: what follows goes over many pixels at once.
void Alignment::read() {
  seen.resize(3 * n), behind.resize(3 * n), known.resize(n), usable.assign(n, 1.0f);
  color.resize(3 * size_t(P) * n), alpha.resize(size_t(P) * n), depth.resize(size_t(P) * n), normal.resize(3 * size_t(P) * n);
  for (int y = 0; y < s.size.h; ++y)
    for (int x = 0; x < s.size.w; ++x) {
      const int i = y * s.size.w + x;
      const int64_t at = y * s.stride + x;
      for (int c = 0; c < 3; ++c) seen[c * n + i] = s.rgb[3 * at + c], behind[c * n + i] = s.behind[3 * at + c];
      known[i] = s.known[at];
      if (s.usable) usable[i] = s.usable[at];
    }
  for (int p = 0; p < P; ++p) {
    const float *in = s.drawn[p];
    float *c = plane(color, 3 * p), *a = plane(alpha, p), *d = plane(depth, p), *m = plane(normal, 3 * p);
    for (int i = 0; i < n; ++i, in += kPlanes) {
      c[i] = in[0], c[n + i] = in[1], c[2 * n + i] = in[2], a[i] = in[3], d[i] = in[4];
      m[i] = in[5], m[n + i] = in[6], m[2 * n + i] = in[7];
    }
  }
}

// What hides what, and the parts in their lights over black.
void Alignment::layer() {
  z.resize(size_t(P) * n), sight.assign(size_t(P) * n, 1.0f), through.assign(n, 1.0f);
  lit = color, own.assign(3 * n, 0.0f);
  const float far = std::numeric_limits<float>::infinity();
  for (int p = 0; p < P; ++p) {
    const float *a = plane(alpha, p), *d = plane(depth, p);
    float *zp = plane(z, p), *mine = plane(sight, p);
    for (int i = 0; i < n; ++i) {
      zp[i] = a[i] > 0.02f ? d[i] / std::max(a[i], 1e-3f) : far;
      through[i] *= 1 - a[i];
    }
    for (int q = 0; q < p; ++q) {
      const float *zq = plane(z, q), *b = plane(alpha, q);
      float *other = plane(sight, q);
      for (int i = 0; i < n; ++i) {
        const bool nearer = zq[i] <= zp[i];
        mine[i] *= nearer ? 1 - b[i] : 1.0f;
        other[i] *= nearer ? 1.0f : 1 - a[i];
      }
    }
  }
  for (int p = 0; p < P; ++p) {
    const float *l = s.lights + 4 * p, *a = plane(alpha, p), *m = plane(normal, 3 * p), *share = plane(sight, p);
    float *out = plane(lit, 3 * p);
    const bool turned = l[1] != 0 || l[2] != 0 || l[3] != 0;
    for (int i = 0; i < n; ++i) {
      float bright = l[0];
      if (turned) bright += (m[i] * l[1] + m[n + i] * l[2] + m[2 * n + i] * l[3]) / std::max(a[i], s.is.no_alpha);
      for (int c = 0; c < 3; ++c) {
        out[c * n + i] *= bright;
        own[c * n + i] += share[i] * out[c * n + i];
      }
    }
  }
}

// Smooth changes of brightness, `shade.py`.
void Alignment::light() {
  const bool half = s.blur > 0;
  std::vector<float> solid(n), ratio(n), agreed(n), bright(n);
  for (int i = 0; i < n; ++i) solid[i] = 1 - through[i];
  eroded(solid.data(), s.size, half ? 1 : 2);
  const float scale = 3 * (2 * s.spread) * (2 * s.spread);
  double inside = 0;
  int solids = 0;
  for (int i = 0; i < n; ++i) {
    float across = 0, squares = 0, off = 0;
    for (int c = 0; c < 3; ++c) {
      const float o = own[c * n + i];
      across += o * seen[c * n + i], squares += o * o;
    }
    const float g = across / std::max(squares, 1e-3f);
    for (int c = 0; c < 3; ++c) {
      const float d = seen[c * n + i] - g * own[c * n + i];
      off += d * d;
    }
    const float trust = 1 / (1 + off / scale);
    const bool is_solid = solid[i] > s.is.solid;
    ratio[i] = g, bright[i] = squares;
    agreed[i] = is_solid && g > s.is.least_gain && g < s.is.most_gain ? trust * trust : 0.0f;
    if (is_solid) inside += squares, ++solids;
  }
  std::vector<float> level(n, 1e-3f), shares(n, 1e-3f), told;
  for (int p = 0; p < P; ++p) {
    const float *a = plane(alpha, p), *mine = plane(sight, p);
    told.clear();
    for (int i = 0; i < n; ++i)
      if (agreed[i] > 0.5f && a[i] * mine[i] > s.is.solid) told.push_back(ratio[i]);
    float usual = 1;
    if (float(told.size()) > s.is.tell) {
      const auto middle = told.begin() + told.size() / 2;
      std::nth_element(told.begin(), middle, told.end());
      usual = told.size() % 2 ? *middle : (*middle + *std::max_element(told.begin(), middle)) / 2;
      usual = std::clamp(usual, s.is.least_light, s.is.most_light);
    }
    for (int i = 0; i < n; ++i) {
      const float share = a[i] * mine[i];
      level[i] += share * usual, shares[i] += share;
    }
  }
  gain.resize(n);
  for (int i = 0; i < n; ++i) {
    const float among = agreed[i] * bright[i];
    gain[i] = among * ratio[i] * shares[i] / level[i], bright[i] = among;
  }
  const auto kernel = gaussian(half ? s.is.shade_sigma / 2 : s.is.shade_sigma);
  blur(gain.data(), s.size, kernel), blur(bright.data(), s.size, kernel);
  const float least = solids ? s.is.shaded * float(inside / solids) : 1.0f;
  for (int i = 0; i < n; ++i) gain[i] = (gain[i] + least) / (bright[i] + least);
}

// The robust error of all that is drawn, less that of the background alone.
void Alignment::compare() {
  error.resize(3 * n), square.resize(n), active.resize(n);
  std::vector<float> empty(3 * n);
  for (int c = 0; c < 3; ++c) {
    float *e = plane(error, c), *o = plane(empty, c);
    const float *in = plane(seen, c), *back = plane(behind, c), *front = plane(own, c);
    for (int i = 0; i < n; ++i) {
      e[i] = gain[i] * front[i] + through[i] * back[i] - in[i];
      o[i] = back[i] - in[i];
    }
    if (s.blur > 0) {
      const auto kernel = gaussian(s.blur);
      blur(e, s.size, kernel), blur(o, s.size, kernel);
    }
  }
  const float scale = (3 * s.spread) * (3 * s.spread);
  double total = 0, fit = 0;
  int drawn = 0;
  for (int i = 0; i < n; ++i) {
    float with = 0, without = 0;
    for (int c = 0; c < 3; ++c) with += error[c * n + i] * error[c * n + i], without += empty[c * n + i] * empty[c * n + i];
    square[i] = with / 3;
    active[i] = through[i] < 1 - s.is.least_alpha;
    if (!active[i]) continue;
    const float u = square[i] / scale, v = without / 3 / scale, robust = u / (1 + u);
    const float nothing = known[i] > 0.5f ? v / (1 + v) : s.is.unknown;
    const float shadow = s.is.shadow * std::min(std::abs(std::log(gain[i])) / s.is.deep, 1.0f);
    total += double(robust - nothing + shadow) * usable[i];
    fit += robust, ++drawn;
  }
  cost = total / 1000, misfit = drawn ? fit / drawn : 1.0;
}

double Alignment::hidden(int part) const {
  const float *a = plane(alpha, part), *share = plane(sight, part);
  double sum = 0;
  for (int i = 0; i < n; ++i) sum += a[i] * (1 - share[i]);
  return sum;
}

// Which pixels agree, and with what weight each is believed.
void Alignment::agree(double *visible, double *area) {
  std::vector<float> around(n), shares(n, 0.0f), trusted(n, 0.0f);
  for (int i = 0; i < n; ++i) around[i] = std::min(std::sqrt(square[i]), 0.4f);
  blur(around.data(), s.size, gaussian(2.0));
  weight.resize(n);
  for (int i = 0; i < n; ++i) {
    const float own = square[i] / (4 * s.spread * s.spread), near = around[i] / s.is.hidden, far = near * near;
    weight[i] = 1 / ((1 + own) * (1 + own) * (1 + far * far));
  }
  for (int p = 0; p < P; ++p) {
    const float *a = plane(alpha, p), *mine = plane(sight, p);
    double all = 0, agreed = 0;
    for (int i = 0; i < n; ++i)
      if (a[i] > 0.5f) {
        const float share = a[i] * mine[i];
        all += share;
        if (weight[i] > 0.25f) agreed += share;
      }
    area[p] = all, visible[p] = agreed / std::max(all, 1.0);
    const float chance = float(1 / (1 + std::exp((s.is.by_chance - visible[p]) / 0.04)) + 1e-3);
    for (int i = 0; i < n; ++i) {
      const float share = a[i] * mine[i];
      trusted[i] += share * chance, shares[i] += share;
    }
  }
  // a sharp picture is told by every second pixel; a blurred one is of half the size
  const float each = (s.blur > 0 ? 4.0f : 2.0f) / (s.is.correlated * s.spread * s.spread);
  for (int i = 0; i < n; ++i) {
    // an edge over an unknown background says nothing
    const float sure = std::clamp(1 - through[i] + known[i], 0.0f, 1.0f), squared = sure * sure;
    weight[i] *= each * squared * squared * usable[i] * trusted[i] / std::max(shares[i], 1e-3f);
  }
}

Alignment::Box Alignment::box(int part, int margin) const {
  const float *a = plane(alpha, part);
  int top = s.size.h, bottom = -1, left = s.size.w, right = -1;
  for (int y = 0; y < s.size.h; ++y)
    for (int x = 0; x < s.size.w; ++x)
      if (a[y * s.size.w + x] > 1e-3f) {
        top = std::min(top, y), bottom = std::max(bottom, y), left = std::min(left, x), right = std::max(right, x);
      }
  if (bottom < 0) return {0, 0, {0, 0}};
  top = std::max(0, top - margin), left = std::max(0, left - margin);
  return {top, left, {std::min(s.size.h, bottom + margin + 1) - top, std::min(s.size.w, right + margin + 1) - left}};
}

// A part's rows of J, of the pixels of its box that it is in or next to.
void Alignment::derive(int part, const Geometry &camera, const Box &box) {
  const Shape size = box.size;
  const int m = size.pixels();
  std::vector<int> at(m);
  for (int y = 0, i = 0; y < size.h; ++y)
    for (int x = 0; x < size.w; ++x) at[i++] = (box.top + y) * s.size.w + box.left + x;
  std::vector<float> smooth_alpha(m), smooth_depth(m), layer(m), dx(3 * m), dy(3 * m), ax(m), ay(m);
  for (int i = 0; i < m; ++i) smooth_alpha[i] = plane(alpha, part)[at[i]], smooth_depth[i] = plane(depth, part)[at[i]];
  slopes(smooth_alpha.data(), size, ax.data(), ay.data());
  for (int c = 0; c < 3; ++c) {
    const float *mine = plane(lit, 3 * part + c);
    for (int i = 0; i < m; ++i) layer[i] = mine[at[i]] * gain[at[i]];
    slopes(layer.data(), size, dx.data() + c * m, dy.data() + c * m);
  }
  for (int i = 0; i < m; ++i) {
    // its edges move over what is behind it; edges of what hides it stay
    const float hidden = plane(sight, part)[at[i]];
    float rest[3] = {0, 0, 0};
    if (ax[i] != 0 || ay[i] != 0) under(part, at[i], rest);
    for (int c = 0; c < 3; ++c) {
      dx[c * m + i] = (dx[c * m + i] - rest[c] * ax[i]) * hidden;
      dy[c * m + i] = (dy[c * m + i] - rest[c] * ay[i]) * hidden;
    }
  }
  if (s.blur > 0) {
    const auto kernel = gaussian(s.blur);
    for (int c = 0; c < 3; ++c) blur(dx.data() + c * m, size, kernel), blur(dy.data() + c * m, size, kernel);
  }
  // one pixel beyond its edge a part has no depth of its own: that of its rim
  const auto kernel = gaussian(std::max(1.5f, s.blur));
  blur(smooth_alpha.data(), size, kernel), blur(smooth_depth.data(), size, kernel);
  const float *middle = camera.middles + 3 * part;
  for (int i = 0; i < m; ++i) {
    const int pixel = at[i];
    const float a = plane(alpha, part)[pixel];
    const bool moves = smooth_alpha[i] > 1e-3f;
    if (number[pixel] < 0 || !(moves || a > 0)) continue;
    row[size_t(number[pixel]) * P + part] = int(J.size());
    J.resize(J.size() + 3 * kRow, 0.0f);
    float *out = &J[J.size() - 3 * kRow];
    if (moves) {
      const float x = (box.left + i % size.w - camera.cx) / camera.fx, y = (box.top + i / size.w - camera.cy) / camera.fy;
      const float d = smooth_depth[i] / smooth_alpha[i], ox = x * d - middle[0], oy = y * d - middle[1], oz = d - middle[2];
      // the pixel's motion by v and by omega x offset
      const float fx = camera.fx / d, fy = camera.fy / d;
      const float u[kTwist] = {fx, 0, -fx * x, -fx * x * oy, fx * (oz + x * ox), -fx * oy};
      const float v[kTwist] = {0, fy, -fy * y, fy * (-oz - y * oy), fy * y * ox, fy * ox};
      for (int c = 0; c < 3; ++c)
        for (int k = 0; k < kTwist; ++k) out[c * kRow + k] = -(dx[c * m + i] * u[k] + dy[c * m + i] * v[k]);
    }
    const float shown = plane(sight, part)[pixel] * gain[pixel], over = std::max(a, s.is.no_alpha);
    for (int c = 0; c < 3; ++c) {
      const float bright = plane(color, 3 * part + c)[pixel] * shown;
      out[c * kRow + kTwist] = bright;
      for (int k = 0; k < 3; ++k) out[c * kRow + kTwist + 1 + k] = bright * plane(normal, 3 * part + k)[pixel] / over;
    }
  }
}

// What a pixel shows where a part is left out.
void Alignment::under(int part, int pixel, float *rest) const {
  float open = 1;
  for (int q = 0; q < P; ++q) {
    const float a = plane(alpha, q)[pixel], zq = plane(z, q)[pixel];
    if (q == part || a == 0) continue;
    open *= 1 - a;
    float share = gain[pixel];
    for (int o = 0; o < P; ++o) {
      const float zo = plane(z, o)[pixel];
      if (o != part && o != q && (o < q ? zo <= zq : zo < zq)) share *= 1 - plane(alpha, o)[pixel];
    }
    for (int c = 0; c < 3; ++c) rest[c] += share * plane(lit, 3 * q + c)[pixel];
  }
  for (int c = 0; c < 3; ++c) rest[c] += open * plane(behind, c)[pixel];
}

void Alignment::sum(double *A, double *b) const {
  const int all = kFreedoms * P;
  std::vector<float> products(size_t(P) * P * kFreedoms * kRow, 0.0f), right(size_t(P) * kRow, 0.0f);
  // first the twists of all parts, then their lights
  const auto at = [&](int p, int i) { return i < kTwist ? kTwist * p + i : kTwist * P + (kFreedoms - kTwist) * p + i - kTwist; };
  // small sums in single precision, all of them in double
  const auto flush = [&] {
    for (int p = 0; p < P; ++p) {
      for (int q = p; q < P; ++q)
        for (int i = 0; i < kFreedoms; ++i)
          for (int j = 0; j < kFreedoms; ++j)
            A[at(p, i) * all + at(q, j)] += products[((size_t(p) * P + q) * kFreedoms + i) * kRow + j];
      for (int i = 0; i < kFreedoms; ++i) b[at(p, i)] += right[size_t(p) * kRow + i];
    }
    std::fill(products.begin(), products.end(), 0.0f), std::fill(right.begin(), right.end(), 0.0f);
  };
  for (int i = 0; i < n; ++i) {
    if (i % s.size.w == 0) flush();
    const int k = number[i];
    if (k < 0 || weight[i] == 0) continue;
    for (int p = 0; p < P; ++p) {
      if (row[size_t(k) * P + p] < 0) continue;
      const float *mine = J.data() + row[size_t(k) * P + p];
      float weighted[3 * kRow], *g = right.data() + size_t(p) * kRow;
      for (int j = 0; j < 3 * kRow; ++j) weighted[j] = weight[i] * mine[j];
      for (int c = 0; c < 3; ++c)
        for (int j = 0; j < kRow; ++j) g[j] += weighted[c * kRow + j] * error[c * n + i];
      for (int q = p; q < P; ++q) {
        if (row[size_t(k) * P + q] < 0) continue;
        const float *other = J.data() + row[size_t(k) * P + q];
        float *block = products.data() + (size_t(p) * P + q) * kFreedoms * kRow;
        for (int r = 0; r < kFreedoms; ++r)
          for (int j = 0; j < kRow; ++j)
            block[r * kRow + j] += weighted[r] * other[j] + weighted[kRow + r] * other[kRow + j] + weighted[2 * kRow + r] * other[2 * kRow + j];
      }
    }
  }
  flush();
  for (int p = 0; p < P; ++p)
    for (int q = p + 1; q < P; ++q)
      for (int i = 0; i < kFreedoms; ++i)
        for (int j = 0; j < kFreedoms; ++j) A[at(q, j) * all + at(p, i)] = A[at(p, i) * all + at(q, j)];
}

void Alignment::normal_equations(const Geometry &camera, double *A, double *b, double *visible, double *area) {
  agree(visible, area);
  number.assign(n, -1);
  int count = 0;
  for (int y = 0; y < s.size.h; ++y)
    for (int x = 0; x < s.size.w; ++x) {
      const int i = y * s.size.w + x;
      if (active[i] && (s.blur > 0 || (x + y) % 2 == 0)) number[i] = count++;
    }
  row.assign(size_t(count) * P, -1), J.clear();
  const int margin = int(std::ceil(3 * s.blur)) + 2;
  for (int p = 0; p < P; ++p) {
    const float *a = plane(alpha, p);
    if (n && *std::max_element(a, a + n) >= s.is.least_alpha) derive(p, camera, box(p, margin));
  }
  sum(A, b);
}

}  // namespace rd

// `summary` is the cost, the misfit, and for each part the pixels of it that are hidden. Without a camera no more is asked.
RD_EXPORT int rd_align(int parts, int height, int width, const float *const *drawn, const float *lights, const float *rgb,
                       const float *behind, const float *known, const float *usable, int64_t stride, float spread, float blur,
                       const float *tuning, double *summary, const float *camera, const float *middles, double *A, double *b,
                       double *visible, double *area) {
  try {
    rd::Tuning is;
    static_assert(sizeof(is) == 16 * sizeof(float), "as many as the loader gives");
    std::memcpy(&is, tuning, sizeof(is));
    rd::Alignment found({parts, {height, width}, drawn, lights, rgb, behind, known, usable, stride, spread, blur, is});
    summary[0] = found.cost, summary[1] = found.misfit;
    for (int p = 0; p < parts; ++p) summary[2 + p] = found.hidden(p);
    if (camera) found.normal_equations({middles, camera[0], camera[1], camera[2], camera[3]}, A, b, visible, area);
    return 0;
  } catch (const std::bad_alloc &) {
    return 1;
  }
}
