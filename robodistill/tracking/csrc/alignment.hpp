// Direct alignment of drawn parts with a picture: what `alignment.py` does in numpy, in one pass over the window.
// That file says what is computed and why; names here are the same.
#pragma once

#include <cstdint>
#include <limits>

#include "filters.hpp"

namespace rd {

constexpr int kPlanes = 8;  // of a drawn part: colour, alpha, depth, normal; all but alpha times alpha
constexpr int kTwist = 6, kFreedoms = 10, kRow = 16;  // of a part: its twist, with its light; a padded row of these

// Constants of that file and of `shade.py`, as they have them.
struct Tuning {
  float least_alpha, no_alpha, by_chance, shadow, deep, hidden, unknown, correlated;
  float solid, shade_sigma, least_gain, most_gain, shaded, least_light, most_light, tell;
};

struct Scene {
  int parts;
  Shape size;
  const float *const *drawn;  // of each part (h, w, kPlanes)
  const float *lights;        // (parts, 4)
  const float *rgb, *behind, *known, *usable;  // of the picture; rows are `stride` pixels apart; usable may be null
  int64_t stride;
  float spread, blur;
  Tuning is;
};

// Where the parts' middles are, and the camera, in pixels of the window.
struct Geometry {
  const float *middles;
  float fx, fy, cx, cy;
};

class Alignment {
 public:
  explicit Alignment(const Scene &scene);

  double cost, misfit;
  double hidden(int part) const;  // pixels of a part that others hide

  // Sums of products of derivatives, (10 parts)^2, and with the errors; shares of the parts that agree, and their pixels.
  void normal_equations(const Geometry &camera, double *A, double *b, double *visible, double *area);

 private:
  void read();
  void layer();
  void light();
  void compare();
  void agree(double *visible, double *area);
  struct Box {
    int top, left;
    Shape size;
  };
  Box box(int part, int margin) const;
  void derive(int part, const Geometry &camera, const Box &box);
  void under(int part, int pixel, float *rest) const;
  void sum(double *A, double *b) const;

  const float *plane(const std::vector<float> &planes, int k) const { return planes.data() + size_t(k) * n; }
  float *plane(std::vector<float> &planes, int k) { return planes.data() + size_t(k) * n; }

  const Scene s;
  const int P, n;
  std::vector<float> seen, behind, known, usable;        // 3, 3, 1, 1 planes
  std::vector<float> color, alpha, depth, normal, z;     // 3 P, P, P, 3 P, P
  std::vector<float> sight, lit, own, through, gain;     // P, 3 P, 3, 1, 1
  std::vector<float> error, square, weight;              // 3, 1, 1
  std::vector<uint8_t> active;                           // 1
  std::vector<int> number, row;                          // of an active pixel, or -1; of that and a part where in J, or -1
  std::vector<float> J;                                  // (3, kRow) each
};

}  // namespace rd
