// The C interface: a view is made, blended, differentiated and freed. Loaded by ctypes; float32 and float64.
#include <new>

#include "view.hpp"

#define RD_EXPORT extern "C" __attribute__((visibility("default")))

namespace {

template <class T>
void *make(int64_t n, int channels, const T *means, const T *quats, const T *scales, const T *opacities, const T *features,
           const T *viewmat, const T *K, int width, int height, double near_plane, double far_plane, double eps2d,
           int with_depth, int threads) {
  rd::CameraView<T> v;
  for (int i = 0; i < 3; ++i) {
    for (int j = 0; j < 3; ++j) v.W[i][j] = viewmat[4 * i + j];
    v.t[i] = viewmat[4 * i + 3];
  }
  v.fx = K[0], v.cx = K[2], v.fy = K[4], v.cy = K[5];
  const T margin_x = T(0.15) * width / v.fx, margin_y = T(0.15) * height / v.fy;  // 0.3 tan(fov / 2)
  v.lim[0] = -(v.cx / v.fx + margin_x), v.lim[1] = (width - v.cx) / v.fx + margin_x;
  v.lim[2] = -(v.cy / v.fy + margin_y), v.lim[3] = (height - v.cy) / v.fy + margin_y;
  v.near_plane = T(near_plane), v.far_plane = T(far_plane), v.eps2d = T(eps2d);
  v.width = width, v.height = height;
  try {
    return new rd::View<T>({n, means, quats, scales, opacities, features, channels}, v, with_depth != 0, threads);
  } catch (const std::bad_alloc &) {
    return nullptr;
  }
}

template <class T>
int differentiate(const void *view, int64_t n, int channels, const T *means, const T *quats, const T *scales, const T *opacities,
                  const T *v_image, const T *v_alpha, T *d_means, T *d_quats, T *d_scales, T *d_opacities, T *d_features, T *d_pose) {
  try {
    static_cast<const rd::View<T> *>(view)->backward({n, means, quats, scales, opacities, nullptr, channels}, v_image, v_alpha,
                                                     {d_means, d_quats, d_scales, d_opacities, d_features, d_pose});
    return 0;
  } catch (const std::bad_alloc &) {
    return 1;
  }
}

// Found pairs are handed over in a second call, when the caller has made room for them.
template <class T> int64_t find_cells(const void *view, int columns, int rows, double least, void **found) {
  try {
    auto *all = new std::vector<rd::CellWeight<T>>(static_cast<const rd::View<T> *>(view)->cell_weights(columns, rows, T(least)));
    *found = all;
    return int64_t(all->size());
  } catch (const std::bad_alloc &) {
    return -1;
  }
}

// In compressed rows by Gaussian: `starts` has room for n + 1.
template <class T> void take_cells(void *found, int64_t n, int64_t *starts, int32_t *cells, T *weights) {
  const std::unique_ptr<std::vector<rd::CellWeight<T>>> all(static_cast<std::vector<rd::CellWeight<T>> *>(found));
  std::fill_n(starts, n + 1, 0);
  for (const auto &it : *all) ++starts[it.id + 1];
  for (int64_t i = 0; i < n; ++i) starts[i + 1] += starts[i];
  for (const auto &it : *all) {
    const int64_t at = starts[it.id]++;
    cells[at] = it.cell, weights[at] = it.weight;
  }
  for (int64_t i = n; i > 0; --i) starts[i] = starts[i - 1];
  starts[0] = 0;
}

}  // namespace

#define RD_INTERFACE(T, suffix)                                                                                                      \
  RD_EXPORT void *rd_view_##suffix(int64_t n, int channels, const T *means, const T *quats, const T *scales, const T *opacities,     \
                                   const T *features, const T *viewmat, const T *K, int width, int height, double near_plane,       \
                                   double far_plane, double eps2d, int with_depth, int threads) {                                   \
    return make<T>(n, channels, means, quats, scales, opacities, features, viewmat, K, width, height, near_plane, far_plane, eps2d,  \
                   with_depth, threads);                                                                                            \
  }                                                                                                                                  \
  RD_EXPORT void rd_free_##suffix(void *view) { delete static_cast<rd::View<T> *>(view); }                                           \
  RD_EXPORT void rd_blend_##suffix(const void *view, T *image, T *alpha) { static_cast<const rd::View<T> *>(view)->blend(image, alpha); } \
  RD_EXPORT int rd_backward_##suffix(const void *view, int64_t n, int channels, const T *means, const T *quats, const T *scales,     \
                                     const T *opacities, const T *v_image, const T *v_alpha, T *d_means, T *d_quats, T *d_scales,   \
                                     T *d_opacities, T *d_features, T *d_pose) {                                                    \
    return differentiate<T>(view, n, channels, means, quats, scales, opacities, v_image, v_alpha, d_means, d_quats, d_scales,        \
                            d_opacities, d_features, d_pose);                                                                       \
  }                                                                                                                                  \
  RD_EXPORT void rd_weights_##suffix(const void *view, int32_t *counts, const int64_t *starts, int32_t *ids, T *weights) {           \
    static_cast<const rd::View<T> *>(view)->weights(counts, starts, ids, weights);                                                   \
  }                                                                                                                                  \
  RD_EXPORT int64_t rd_find_cells_##suffix(const void *view, int columns, int rows, double least, void **found) {                    \
    return find_cells<T>(view, columns, rows, least, found);                                                                         \
  }                                                                                                                                  \
  RD_EXPORT void rd_take_cells_##suffix(void *found, int64_t n, int64_t *starts, int32_t *cells, T *weights) {                       \
    take_cells<T>(found, n, starts, cells, weights);                                                                                 \
  }

// What the library was compiled for; the loader compares it with what the processor can do.
RD_EXPORT const char *rd_instruction_set() {
#if defined(__AVX512F__)
  return "avx512f avx2 fma";
#elif defined(__AVX2__)
  return "avx2 fma";
#else
  return "";
#endif
}

RD_INTERFACE(float, f32)
RD_INTERFACE(double, f64)
