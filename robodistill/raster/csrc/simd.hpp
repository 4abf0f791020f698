// Vectors of eight lanes in GCC/Clang vector extensions, for float (one AVX register) and double (two).
// A vector is eight pixels of a 4x2 block, or eight channels.
#pragma once
#include <cmath>
#include <cstdint>

#if defined(__AVX2__)
#include <immintrin.h>
#endif

namespace rd {

constexpr int kLanes = 8;

template <class T> struct Simd;
template <> struct Simd<float> {
  typedef float vec __attribute__((vector_size(32)));
  typedef float loose __attribute__((vector_size(32), may_alias, aligned(4)));
  typedef int32_t mask __attribute__((vector_size(32)));
};
template <> struct Simd<double> {
  typedef double vec __attribute__((vector_size(64)));
  typedef double loose __attribute__((vector_size(64), may_alias, aligned(8)));
  typedef int64_t mask __attribute__((vector_size(64)));
};
template <class T> using Vec = typename Simd<T>::vec;
template <class T> using Mask = typename Simd<T>::mask;

// Unaligned access through a may_alias type: a memcpy of 32 bytes becomes two halves and a store-forward stall in g++ 12.
template <class T> inline Vec<T> load(const T *p) { return *reinterpret_cast<const typename Simd<T>::loose *>(p); }
template <class T> inline void store(T *p, Vec<T> v) { *reinterpret_cast<typename Simd<T>::loose *>(p) = v; }
template <class T> inline Vec<T> splat(T x) { return Vec<T>{} + x; }

template <class T> inline T sum(Vec<T> v) {
  return ((v[0] + v[1]) + (v[2] + v[3])) + ((v[4] + v[5]) + (v[6] + v[7]));
}

inline bool any(Mask<float> m) {
#if defined(__AVX2__)
  return _mm256_movemask_ps(reinterpret_cast<__m256>(m)) != 0;
#else
  int32_t r = 0;
  for (int i = 0; i < kLanes; ++i) r |= m[i];
  return r != 0;
#endif
}
inline bool any(Mask<double> m) {
  int64_t r = 0;
  for (int i = 0; i < kLanes; ++i) r |= m[i];
  return r != 0;
}

inline Vec<float> square_root(Vec<float> v) {
#if defined(__AVX2__)
  return reinterpret_cast<Vec<float>>(_mm256_sqrt_ps(reinterpret_cast<__m256>(v)));
#else
  for (int i = 0; i < kLanes; ++i) v[i] = std::sqrt(v[i]);
  return v;
#endif
}
inline Vec<double> square_root(Vec<double> v) {
  for (int i = 0; i < kLanes; ++i) v[i] = std::sqrt(v[i]);
  return v;
}

// 2^x for x in [-126, 127]; other lanes come out as anything. x = n + f, |f| <= 1/2: Taylor of 2^f to f^6 (relative error
// 1.2e-7), n added to the exponent.
inline Vec<float> exp2_of(Vec<float> x) {
  typedef Vec<float> V;
  const V shifted = x + 12582912.f;  // adding 1.5 * 2^23 leaves round(x) in the low bits of the mantissa
  const V f = x - (shifted - 12582912.f);
  V p = f * 1.54035304e-4f + 1.33335581e-3f;
  p = p * f + 9.61812911e-3f;
  p = p * f + 5.55041087e-2f;
  p = p * f + 2.40226507e-1f;
  p = p * f + 6.93147181e-1f;
  p = p * f + 1.f;
  return reinterpret_cast<V>(reinterpret_cast<Mask<float>>(p) + (reinterpret_cast<Mask<float>>(shifted) << 23));
}
inline Vec<double> exp2_of(Vec<double> x) {
  for (int i = 0; i < kLanes; ++i) x[i] = std::exp2(x[i]);
  return x;
}

}  // namespace rd
