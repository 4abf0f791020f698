// What a part's Gaussians show a camera: the columns that they are drawn with. See `part_columns.py`.
#include <algorithm>
#include <cmath>

#define RD_EXPORT extern "C" __attribute__((visibility("default")))

namespace {

// Real spherical harmonics in a unit direction, in the order and signs of `raster/sh.py`.
int harmonics(int degree, float x, float y, float z, float *basis) {
  const float pi = 3.14159265358979f;
  const auto root = [pi](float square) { return std::sqrt(square / pi); };
  static const float c0 = root(1 / 4.f), c1 = root(3 / 4.f), c2[] = {root(15 / 4.f), root(5 / 16.f), root(15 / 16.f)};
  static const float c3[] = {root(35 / 32.f), root(105 / 4.f), root(21 / 32.f), root(7 / 16.f), root(105 / 16.f)};
  const float xx = x * x, yy = y * y, zz = z * z;
  const float all[16] = {c0,
                         -c1 * y,
                         c1 * z,
                         -c1 * x,
                         c2[0] * x * y,
                         -c2[0] * y * z,
                         c2[1] * (2 * zz - xx - yy),
                         -c2[0] * x * z,
                         c2[2] * (xx - yy),
                         -c3[0] * y * (3 * xx - yy),
                         c3[1] * x * y * z,
                         -c3[2] * y * (4 * zz - xx - yy),
                         c3[3] * z * (2 * zz - 3 * xx - 3 * yy),
                         -c3[2] * x * (4 * zz - xx - yy),
                         c3[4] * z * (xx - yy),
                         -c3[0] * x * (xx - 3 * yy)};
  const int count = (degree + 1) * (degree + 1);
  std::copy(all, all + count, basis);
  return count;
}

}  // namespace

// `coefficients` are (n, stored, 3), T (4, 4) is from the Gaussians' coordinates to the camera's, `out` (n, 8).
RD_EXPORT void rd_columns(int n, int degree, int stored, const float *means, const float *axes, const float *coefficients,
                          const float *T, float *out) {
  float center[3];
  for (int i = 0; i < 3; ++i) center[i] = -(T[i] * T[3] + T[4 + i] * T[7] + T[8 + i] * T[11]);
  for (int i = 0; i < n; ++i, means += 3, axes += 3, coefficients += 3 * stored, out += 8) {
    const float d[3] = {means[0] - center[0], means[1] - center[1], means[2] - center[2]};
    const float length = std::max(std::sqrt(d[0] * d[0] + d[1] * d[1] + d[2] * d[2]), 1e-12f);
    float basis[16], color[3] = {0.5f, 0.5f, 0.5f};
    const int count = harmonics(degree, d[0] / length, d[1] / length, d[2] / length, basis);
    for (int k = 0; k < count; ++k)
      for (int c = 0; c < 3; ++c) color[c] += basis[k] * coefficients[3 * k + c];
    const float sign = d[0] * axes[0] + d[1] * axes[1] + d[2] * axes[2] > 0 ? -1.f : 1.f;
    for (int c = 0; c < 3; ++c) out[c] = std::max(color[c], 0.f), out[5 + c] = sign * axes[c];
    out[3] = 1;
    out[4] = T[8] * means[0] + T[9] * means[1] + T[10] * means[2] + T[11];
  }
}
