// Eight Gaussians at a time, one camera: world -> image, and the way back of the gradients.
//
// M = W R diag(s), U = J M, cov = U U^T + eps I, conic = cov^-1 (W: rotation of the view matrix, R: of the Gaussian,
// J: Jacobian of the pinhole at the Gaussian's centre, its x/z clamped to 1.3 times the view as in 3DGS).
#pragma once
#include <algorithm>
#include <cmath>

#include "simd.hpp"

namespace rd {

template <class T> struct CameraView {
  T W[3][3], t[3];          // camera from world
  T fx, fy, cx, cy;         // pixels, origin at the corner of the first pixel
  T lim[4];                 // clamp of x/z: low, high; of y/z: low, high
  T near_plane, far_plane, eps2d;
  int width, height;
};

// What the blending needs of a Gaussian: 32 bytes in float. All in powers of two, to spare the blending a product:
// log2(alpha) = peak - (A dx^2 + B dx dy + C dy^2), so A and C are half the conic's diagonal, B its off-diagonal, times
// log2(e).
template <class T> struct Splat {
  T mx, my;        // centre, pixels
  T A, B, C;
  T peak;          // log2 of the opacity
  int32_t row;     // row of the feature buffer (depth order)
  int32_t unused;
};
constexpr double kLog2e = 1.4426950408889634, kCut = -7.994353436858858;  // log2(1 / 255)

// Gradients with respect to a Gaussian's image-plane quantities.
template <class T> struct SplatGrad { T mx, my, A, B, C, depth; };

// Columns of up to eight rows of an (N, width) array, one lane a row; rows that are not there repeat the first.
template <class T, int N> inline void gather(const T *array, const int64_t *rows, Vec<T> *out) {
  for (int j = 0; j < N; ++j) {
    Vec<T> column = {};
    for (int i = 0; i < kLanes; ++i) column[i] = array[rows[i] * N + j];
    out[j] = column;
  }
}
template <class T, int N> inline void scatter(const Vec<T> *in, const int64_t *rows, int count, T *array) {
  for (int j = 0; j < N; ++j)
    for (int i = 0; i < count; ++i) array[rows[i] * N + j] = in[j][i];
}

// What forward and backward both compute.
template <class T> struct Local {
  typedef Vec<T> V;
  V p[3];          // centre in the camera frame
  V R[3][3];       // rotation of the Gaussian
  V WR[3][3];
  V M[3][3];
  V J[2][3];
  V U[2][3];
  V cov[3];        // xx, xy, yy with eps
  V q[4], q_norm;  // unit quaternion and the length it had
  Mask<T> inside_x, inside_y;

  Local(const CameraView<T> &v, const V *mean, const V *quat, const V *scale) {
    for (int i = 0; i < 3; ++i) p[i] = v.W[i][0] * mean[0] + v.W[i][1] * mean[1] + v.W[i][2] * mean[2] + v.t[i];
    q_norm = square_root(quat[0] * quat[0] + quat[1] * quat[1] + quat[2] * quat[2] + quat[3] * quat[3]);
    q_norm = q_norm < T(1e-12) ? splat(T(1e-12)) : q_norm;
    for (int i = 0; i < 4; ++i) q[i] = quat[i] / q_norm;
    const V w = q[0], x = q[1], y = q[2], z = q[3];
    R[0][0] = 1 - 2 * (y * y + z * z), R[0][1] = 2 * (x * y - w * z), R[0][2] = 2 * (x * z + w * y);
    R[1][0] = 2 * (x * y + w * z), R[1][1] = 1 - 2 * (x * x + z * z), R[1][2] = 2 * (y * z - w * x);
    R[2][0] = 2 * (x * z - w * y), R[2][1] = 2 * (y * z + w * x), R[2][2] = 1 - 2 * (x * x + y * y);
    for (int i = 0; i < 3; ++i)
      for (int j = 0; j < 3; ++j) {
        WR[i][j] = v.W[i][0] * R[0][j] + v.W[i][1] * R[1][j] + v.W[i][2] * R[2][j];
        M[i][j] = WR[i][j] * scale[j];
      }
    const V iz = 1 / p[2], ux = p[0] * iz, uy = p[1] * iz;
    V tx = ux < v.lim[0] ? splat(v.lim[0]) : ux, ty = uy < v.lim[2] ? splat(v.lim[2]) : uy;
    tx = tx > v.lim[1] ? splat(v.lim[1]) : tx;
    ty = ty > v.lim[3] ? splat(v.lim[3]) : ty;
    inside_x = tx == ux;
    inside_y = ty == uy;
    J[0][0] = v.fx * iz, J[0][1] = V{}, J[0][2] = -v.fx * tx * iz;
    J[1][0] = V{}, J[1][1] = v.fy * iz, J[1][2] = -v.fy * ty * iz;
    for (int j = 0; j < 3; ++j) {
      U[0][j] = J[0][0] * M[0][j] + J[0][2] * M[2][j];
      U[1][j] = J[1][1] * M[1][j] + J[1][2] * M[2][j];
    }
    cov[0] = U[0][0] * U[0][0] + U[0][1] * U[0][1] + U[0][2] * U[0][2] + v.eps2d;
    cov[1] = U[0][0] * U[1][0] + U[0][1] * U[1][1] + U[0][2] * U[1][2];
    cov[2] = U[1][0] * U[1][0] + U[1][1] * U[1][1] + U[1][2] * U[1][2] + v.eps2d;
  }
};

// Where eight Gaussians fall. `half` is the half size of the box around the visible ellipse; `seen` is false where
// nothing of it can be seen.
template <class T> struct Projected {
  Splat<T> splat[kLanes];
  T depth[kLanes], half[kLanes][2];
  bool seen[kLanes];
};

template <class T>
inline Projected<T> project(const CameraView<T> &v, const Vec<T> *mean, const Vec<T> *quat, const Vec<T> *scale, Vec<T> opacity) {
  typedef Vec<T> V;
  const Local<T> g(v, mean, quat, scale);
  const V det = g.cov[0] * g.cov[2] - g.cov[1] * g.cov[1], over = 1 / det;
  const V mx = v.fx * g.p[0] / g.p[2] + v.cx, my = v.fy * g.p[1] / g.p[2] + v.cy;
  V peak, reach;  // reach: sigma at which alpha falls to 1/255
  for (int i = 0; i < kLanes; ++i) peak[i] = std::log2(opacity[i]);
  reach = (peak - T(kCut)) / T(kLog2e);
  const V open = reach < 0 ? V{} : reach;
  const V half_x = square_root(2 * open * g.cov[0]), half_y = square_root(2 * open * g.cov[2]);
  const Mask<T> seen = (g.p[2] > v.near_plane) & (g.p[2] < v.far_plane) & (reach > 0) & (det > 0) & (mx + half_x > 0) &
                       (mx - half_x < T(v.width)) & (my + half_y > 0) & (my - half_y < T(v.height));
  Projected<T> out;
  for (int i = 0; i < kLanes; ++i) {
    const T unit = over[i] * T(kLog2e);
    out.splat[i] = {mx[i], my[i], g.cov[2][i] * unit / 2, -g.cov[1][i] * unit, g.cov[0][i] * unit / 2, peak[i], 0, 0};
    out.depth[i] = g.p[2][i];
    out.half[i][0] = half_x[i];
    out.half[i][1] = half_y[i];
    out.seen[i] = seen[i] != 0;
  }
  return out;
}

// Gradients of eight Gaussians; adds theirs with respect to the pose (3x4) lane by lane.
template <class T>
inline void project_backward(const CameraView<T> &v, const Vec<T> *mean, const Vec<T> *quat, const Vec<T> *scale,
                             const SplatGrad<Vec<T>> &d, Vec<T> *v_mean, Vec<T> *v_quat, Vec<T> *v_scale, Vec<T> *v_pose) {
  typedef Vec<T> V;
  const Local<T> g(v, mean, quat, scale);
  const V over = 1 / (g.cov[0] * g.cov[2] - g.cov[1] * g.cov[1]);
  // dL/dcov = -Q G Q with G the symmetric gradient of the conic (its off-diagonal stands twice in the quadratic form)
  const V Q[2][2] = {{g.cov[2] * over, -g.cov[1] * over}, {-g.cov[1] * over, g.cov[0] * over}};
  const V G[2][2] = {{d.A, T(0.5) * d.B}, {T(0.5) * d.B, d.C}};
  V QG[2][2], S[2][2];
  for (int i = 0; i < 2; ++i)
    for (int j = 0; j < 2; ++j) QG[i][j] = Q[i][0] * G[0][j] + Q[i][1] * G[1][j];
  for (int i = 0; i < 2; ++i)
    for (int j = 0; j < 2; ++j) S[i][j] = -(QG[i][0] * Q[0][j] + QG[i][1] * Q[1][j]);
  V dU[2][3], dM[3][3], dJ[2][3], dWR[3][3], dR[3][3];
  for (int i = 0; i < 2; ++i)
    for (int j = 0; j < 3; ++j) dU[i][j] = 2 * (S[i][0] * g.U[0][j] + S[i][1] * g.U[1][j]);
  for (int j = 0; j < 3; ++j) {
    dM[0][j] = g.J[0][0] * dU[0][j];
    dM[1][j] = g.J[1][1] * dU[1][j];
    dM[2][j] = g.J[0][2] * dU[0][j] + g.J[1][2] * dU[1][j];
  }
  for (int i = 0; i < 2; ++i)
    for (int j = 0; j < 3; ++j) dJ[i][j] = dU[i][0] * g.M[j][0] + dU[i][1] * g.M[j][1] + dU[i][2] * g.M[j][2];
  for (int j = 0; j < 3; ++j) {
    v_scale[j] = dM[0][j] * g.WR[0][j] + dM[1][j] * g.WR[1][j] + dM[2][j] * g.WR[2][j];
    for (int i = 0; i < 3; ++i) dWR[i][j] = dM[i][j] * scale[j];
  }
  for (int i = 0; i < 3; ++i)
    for (int j = 0; j < 3; ++j) {
      dR[i][j] = v.W[0][i] * dWR[0][j] + v.W[1][i] * dWR[1][j] + v.W[2][i] * dWR[2][j];
      v_pose[i * 4 + j] += dWR[i][0] * g.R[j][0] + dWR[i][1] * g.R[j][1] + dWR[i][2] * g.R[j][2];
    }
  // centre: image position, depth, and the Jacobian's own dependence on it
  const V iz = 1 / g.p[2], iz2 = iz * iz;
  V dp[3] = {v.fx * iz * d.mx, v.fy * iz * d.my,
             d.depth - (v.fx * g.p[0] * d.mx + v.fy * g.p[1] * d.my) * iz2 - (v.fx * dJ[0][0] + v.fy * dJ[1][1]) * iz2};
  // J02 = -fx (x/z) / z; inside the clamp x/z varies, outside it is constant
  dp[0] -= g.inside_x ? v.fx * iz2 * dJ[0][2] : V{};
  dp[1] -= g.inside_y ? v.fy * iz2 * dJ[1][2] : V{};
  const V turn_x = g.J[0][2] * iz * dJ[0][2], turn_y = g.J[1][2] * iz * dJ[1][2];
  dp[2] -= (g.inside_x ? 2 * turn_x : turn_x) + (g.inside_y ? 2 * turn_y : turn_y);
  for (int i = 0; i < 3; ++i) {
    v_mean[i] = v.W[0][i] * dp[0] + v.W[1][i] * dp[1] + v.W[2][i] * dp[2];
    for (int j = 0; j < 3; ++j) v_pose[i * 4 + j] += dp[i] * mean[j];
    v_pose[i * 4 + 3] += dp[i];
  }
  const V w = g.q[0], x = g.q[1], y = g.q[2], z = g.q[3];
  const V dq[4] = {
      2 * (x * (dR[2][1] - dR[1][2]) + y * (dR[0][2] - dR[2][0]) + z * (dR[1][0] - dR[0][1])),
      2 * (-2 * x * (dR[1][1] + dR[2][2]) + y * (dR[1][0] + dR[0][1]) + z * (dR[2][0] + dR[0][2]) + w * (dR[2][1] - dR[1][2])),
      2 * (x * (dR[1][0] + dR[0][1]) - 2 * y * (dR[0][0] + dR[2][2]) + z * (dR[2][1] + dR[1][2]) + w * (dR[0][2] - dR[2][0])),
      2 * (x * (dR[2][0] + dR[0][2]) + y * (dR[2][1] + dR[1][2]) - 2 * z * (dR[0][0] + dR[1][1]) + w * (dR[1][0] - dR[0][1]))};
  const V along = dq[0] * w + dq[1] * x + dq[2] * y + dq[3] * z;
  for (int i = 0; i < 4; ++i) v_quat[i] = (dq[i] - along * g.q[i]) / g.q_norm;
}

}  // namespace rd
