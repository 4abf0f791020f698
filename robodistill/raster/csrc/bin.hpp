// Which Gaussians touch which part of the image: a depth order, 16x16 tiles, and in each tile 32 blocks of 4x2 pixels.
//
// An entry is a pair (Gaussian, tile) with a bit for each block that the ellipse alpha >= 1/255 covers. The image does not
// depend on any of this: it only leaves out pairs that the blending would skip.
#pragma once
#include <cstring>
#include <vector>

#include "project.hpp"
#include "simd.hpp"

namespace rd {

constexpr int kTile = 16, kBlockWidth = 4, kBlockHeight = 2, kBlocks = 32;

struct Entry {
  int32_t splat;   // in depth order
  uint32_t blocks; // bit (row of blocks) * 4 + column
  int64_t slot;    // where this pair keeps its gradients: consecutive for a Gaussian
};

// Stable least-significant-digit radix sort of positive floats (their bits order as they do); returns the permutation.
template <class T> inline std::vector<int32_t> depth_order(const std::vector<T> &depth) {
  typedef typename std::conditional<sizeof(T) == 4, uint32_t, uint64_t>::type Key;
  constexpr int kBits = 11, kBins = 1 << kBits, kPasses = (sizeof(T) * 8 + kBits - 1) / kBits;
  const size_t n = depth.size();
  struct Item { Key key; int32_t index; };
  std::vector<Item> a(n), b(n);
  std::vector<std::vector<uint32_t>> count(kPasses, std::vector<uint32_t>(kBins, 0));
  for (size_t i = 0; i < n; ++i) {
    std::memcpy(&a[i].key, &depth[i], sizeof(T));
    a[i].index = int32_t(i);
    for (int p = 0; p < kPasses; ++p) ++count[p][(a[i].key >> (p * kBits)) & (kBins - 1)];
  }
  for (int p = 0; p < kPasses; ++p) {
    uint32_t start = 0;
    bool one_bin = false;
    for (auto &c : count[p]) {
      one_bin |= c == n;
      const uint32_t next = start + c;
      c = start;
      start = next;
    }
    if (one_bin) continue;  // all share this digit
    for (const Item &item : a) b[count[p][(item.key >> (p * kBits)) & (kBins - 1)]++] = item;
    a.swap(b);
  }
  std::vector<int32_t> order(n);
  for (size_t i = 0; i < n; ++i) order[i] = a[i].index;
  return order;
}

// Blocks of the tile at pixel (x0, y0) with a pixel centre inside the ellipse, from its exact span in each pixel row.
template <class T> inline uint32_t covered_blocks(const Splat<T> &s, int x0, int y0) {
  typedef Vec<T> V;
  const T reach = (s.peak - T(kCut)) * T(1.0001) + T(1e-3);  // slack for rounding
  const T inv_a = T(0.5) / s.A, det = s.A * s.C - T(0.25) * s.B * s.B;
  V low = splat(T(1e9)), high = splat(T(-1e9));
  for (int odd = 0; odd < kBlockHeight; ++odd) {
    V y;
    for (int i = 0; i < kLanes; ++i) y[i] = T(2 * i + odd);
    y += T(y0) + T(0.5) - s.my;
    const V disc = 4 * (reach * s.A - det * y * y);
    const Mask<T> hit = disc > 0;
    const V half = square_root(hit ? disc : V{}) * inv_a;
    const V middle = s.mx - s.B * inv_a * y - (T(x0) + T(0.5));
    const V from = middle - half, to = middle + half;
    low = (hit & (from < low)) ? from : low;
    high = (hit & (to > high)) ? to : high;
  }
  // pixel columns ceil(low) .. floor(high), clipped to the tile, then their blocks
  uint32_t blocks = 0;
  for (int strip = 0; strip < kLanes; ++strip) {
    if (!(high[strip] >= low[strip]) || high[strip] < 0 || low[strip] > kTile - 1) continue;
    const int first = int(std::ceil(std::max(low[strip], T(0)))), last = int(std::min(high[strip], T(kTile - 1)));
    if (first > last) continue;
    const uint32_t from = first / kBlockWidth, to = last / kBlockWidth;
    blocks |= ((2u << to) - (1u << from)) << (4 * strip);
  }
  return blocks;
}

struct TileRange { int x0, x1, y0, y1; int count() const { return (x1 - x0) * (y1 - y0); } };

template <class T> inline TileRange tiles_of(const Splat<T> &s, const T *half, int tiles_x, int tiles_y) {
  auto first = [](T p) { return int(std::floor(std::max(p - T(0.5), T(0)) / kTile)); };
  auto last = [](T p, int n) { return std::min(int(std::floor(std::max(p, T(0)) / kTile)) + 1, n); };
  TileRange r{first(s.mx - half[0]), last(s.mx + half[0], tiles_x), first(s.my - half[1]), last(s.my + half[1], tiles_y)};
  r.x1 = std::max(r.x1, r.x0);
  r.y1 = std::max(r.y1, r.y0);
  return r;
}

struct Bins {
  std::vector<Entry> entries;         // by tile, in depth order within a tile
  std::vector<int64_t> tile_start;    // tiles + 1
  std::vector<int64_t> splat_start;   // first slot of each Gaussian in depth order, + 1
  std::vector<uint32_t> slot_blocks;  // blocks of each slot; 0: the box touched the tile, the ellipse did not
};

template <class T>
inline Bins bin(const std::vector<Splat<T>> &splats, const std::vector<T> &halves, int width, int height, int threads) {
  const int tiles_x = (width + kTile - 1) / kTile, tiles_y = (height + kTile - 1) / kTile;
  const int64_t n = int64_t(splats.size());
  Bins bins;
  bins.splat_start.assign(n + 1, 0);
  for (int64_t i = 0; i < n; ++i)
    bins.splat_start[i + 1] = bins.splat_start[i] + tiles_of(splats[i], &halves[2 * i], tiles_x, tiles_y).count();
  const int64_t slots = bins.splat_start[n];
  bins.slot_blocks.resize(slots);
  std::vector<int32_t> slot_tile(slots);
#pragma omp parallel for schedule(static) num_threads(threads)
  for (int64_t i = 0; i < n; ++i) {
    const TileRange r = tiles_of(splats[i], &halves[2 * i], tiles_x, tiles_y);
    int64_t slot = bins.splat_start[i];
    for (int ty = r.y0; ty < r.y1; ++ty)
      for (int tx = r.x0; tx < r.x1; ++tx, ++slot) {
        slot_tile[slot] = ty * tiles_x + tx;
        bins.slot_blocks[slot] = covered_blocks(splats[i], tx * kTile, ty * kTile);
      }
  }
  bins.tile_start.assign(tiles_x * tiles_y + 1, 0);
  for (int64_t slot = 0; slot < slots; ++slot) bins.tile_start[slot_tile[slot] + 1] += bins.slot_blocks[slot] != 0;
  for (size_t t = 1; t < bins.tile_start.size(); ++t) bins.tile_start[t] += bins.tile_start[t - 1];
  bins.entries.resize(bins.tile_start.back());
  std::vector<int64_t> next(bins.tile_start.begin(), bins.tile_start.end() - 1);
  for (int64_t i = 0; i < n; ++i)
    for (int64_t slot = bins.splat_start[i]; slot < bins.splat_start[i + 1]; ++slot)
      if (bins.slot_blocks[slot]) bins.entries[next[slot_tile[slot]]++] = {int32_t(i), bins.slot_blocks[slot], slot};
  return bins;
}

}  // namespace rd
