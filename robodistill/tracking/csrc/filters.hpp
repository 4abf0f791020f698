// Filters of single planes of float, as OpenCV defines them: borders reflect, and the border pixel is not repeated.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstring>
#include <utility>
#include <vector>

namespace rd {

// A plane of h rows of w pixels, one after the other.
struct Shape {
  int h, w;
  int pixels() const { return h * w; }
};

inline int reflected(int i, int n) {
  if (n == 1) return 0;
  while (i < 0 || i >= n) i = i < 0 ? -i : 2 * n - 2 - i;
  return i;
}

// Half of a Gaussian, from its middle; it ends at four standard deviations.
inline std::vector<float> gaussian(double sigma) {
  const int radius = (int(std::lrint(8 * sigma + 1)) | 1) / 2;
  std::vector<double> half(radius + 1);
  double sum = 0;
  for (int i = 0; i <= radius; ++i) {
    half[i] = std::exp(-0.5 * i * i / (sigma * sigma));
    sum += i ? 2 * half[i] : half[i];
  }
  std::vector<float> kernel(radius + 1);
  for (int i = 0; i <= radius; ++i) kernel[i] = float(half[i] / sum);
  return kernel;
}

// Of w pixels: `kernel` times each of two rows i to either side; what is added up stays in registers.
template <class Rows> inline void weighed(float *out, int w, const std::vector<float> &kernel, const Rows &rows) {
  typedef float Wide __attribute__((vector_size(32), aligned(4), may_alias));
  constexpr int kWide = 8, kAtOnce = 4;
  const int r = int(kernel.size()) - 1;
  const float *own = rows(0).first;
  int x = 0;
  for (; x + kWide * kAtOnce <= w; x += kWide * kAtOnce) {
    Wide sum[kAtOnce];
    for (int k = 0; k < kAtOnce; ++k) sum[k] = kernel[0] * *reinterpret_cast<const Wide *>(own + x + kWide * k);
    for (int i = 1; i <= r; ++i) {
      const auto [before, after] = rows(i);
      for (int k = 0; k < kAtOnce; ++k)
        sum[k] += kernel[i] * (*reinterpret_cast<const Wide *>(before + x + kWide * k) + *reinterpret_cast<const Wide *>(after + x + kWide * k));
    }
    for (int k = 0; k < kAtOnce; ++k) *reinterpret_cast<Wide *>(out + x + kWide * k) = sum[k];
  }
  for (; x < w; ++x) {
    float sum = kernel[0] * own[x];
    for (int i = 1; i <= r; ++i) sum += kernel[i] * (rows(i).first[x] + rows(i).second[x]);
    out[x] = sum;
  }
}

// In place.
inline void blur(float *plane, Shape s, const std::vector<float> &kernel) {
  const int r = int(kernel.size()) - 1;
  std::vector<float> across(s.pixels()), line(s.w + 2 * r);
  for (int y = 0; y < s.h; ++y) {
    const float *in = plane + y * s.w, *middle = line.data() + r;
    std::memcpy(line.data() + r, in, sizeof(float) * s.w);
    for (int i = 1; i <= r; ++i) line[r - i] = in[reflected(-i, s.w)], line[r + s.w - 1 + i] = in[reflected(s.w - 1 + i, s.w)];
    weighed(across.data() + y * s.w, s.w, kernel, [&](int i) { return std::pair(middle - i, middle + i); });
  }
  const auto row = [&](int y) { return across.data() + reflected(y, s.h) * s.w; };
  for (int y = 0; y < s.h; ++y) weighed(plane + y * s.w, s.w, kernel, [&](int i) { return std::pair(row(y - i), row(y + i)); });
}

// Scharr's derivatives per pixel.
inline void slopes(const float *plane, Shape s, float *along_x, float *along_y) {
  for (int y = 0; y < s.h; ++y) {
    const float *above = plane + reflected(y - 1, s.h) * s.w, *own = plane + y * s.w, *below = plane + reflected(y + 1, s.h) * s.w;
    float *dx = along_x + y * s.w, *dy = along_y + y * s.w;
    const auto at = [&](int x, int left, int right) {
      dx[x] = (3 * (above[right] - above[left] + below[right] - below[left]) + 10 * (own[right] - own[left])) / 32;
      dy[x] = (3 * (below[left] - above[left] + below[right] - above[right]) + 10 * (below[x] - above[x])) / 32;
    };
    for (int x = 1; x < s.w - 1; ++x) at(x, x - 1, x + 1);
    at(0, reflected(-1, s.w), reflected(1, s.w));
    at(s.w - 1, reflected(s.w - 2, s.w), reflected(s.w, s.w));
  }
}

// In place: the least within a square of so many pixels to each side.
inline void eroded(float *plane, Shape s, int reach) {
  std::vector<float> rows(s.pixels());
  for (int y = 0; y < s.h; ++y)
    for (int x = 0; x < s.w; ++x) {
      const float *in = plane + y * s.w;
      rows[y * s.w + x] = *std::min_element(in + std::max(0, x - reach), in + std::min(s.w, x + reach + 1));
    }
  for (int y = 0; y < s.h; ++y) {
    float *out = plane + y * s.w;
    std::memcpy(out, rows.data() + y * s.w, sizeof(float) * s.w);
    for (int other = std::max(0, y - reach); other < std::min(s.h, y + reach + 1); ++other)
      for (int x = 0; x < s.w; ++x) out[x] = std::min(out[x], rows[other * s.w + x]);
  }
}

}  // namespace rd
