// A field seen by one camera: projected, binned, and then blended, differentiated or asked for its weights.
#pragma once
#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

#include "blend.hpp"

namespace rd {

constexpr int kChannelsAtOnce = 64;  // colour gradients are kept per (Gaussian, tile) for this many channels at a time
constexpr int kPoseBlocks = 64;      // fixed partial sums, so that the pose gradient does not depend on the threads

template <class T> struct Gaussians { int64_t n; const T *means, *quats, *scales, *opacities, *features; int channels; };
template <class T> struct GaussianGrads { T *means, *quats, *scales, *opacities, *features; T *pose; };

// Weight of a Gaussian in a cell of a grid over the image: summed over the cell's pixels within one tile.
template <class T> struct CellWeight { int32_t id, cell; T weight; };

template <class T> class View {
 public:
  View(const Gaussians<T> &g, const CameraView<T> &camera, bool with_depth, int threads)
      : camera_(camera), channels_(g.channels + with_depth), with_depth_(with_depth), threads_(threads) {
    std::vector<Splat<T>> splats(g.n);
    std::vector<T> depth(g.n), half(2 * g.n);
    std::vector<uint8_t> seen(g.n);
#pragma omp parallel for schedule(static) num_threads(threads)
    for (int64_t first = 0; first < g.n; first += kLanes) {
      const Rows rows(first, g.n, nullptr);
      Vec<T> mean[3], quat[4], scale[3], opacity[1];
      rows.load(g, mean, quat, scale);
      gather<T, 1>(g.opacities, rows.id, opacity);
      const Projected<T> p = project(camera_, mean, quat, scale, opacity[0]);
      for (int i = 0; i < rows.count; ++i) {
        splats[first + i] = p.splat[i];
        depth[first + i] = p.depth[i];
        half[2 * (first + i)] = p.half[i][0];
        half[2 * (first + i) + 1] = p.half[i][1];
        seen[first + i] = p.seen[i];
      }
    }
    for (int64_t i = 0; i < g.n; ++i)
      if (seen[i]) ids_.push_back(int32_t(i));
    const int64_t n = int64_t(ids_.size());
    std::vector<T> seen_depth(n);
    for (int64_t i = 0; i < n; ++i) seen_depth[i] = depth[ids_[i]];
    const std::vector<int32_t> order = depth_order(seen_depth), unsorted = ids_;
    splats_.resize(n);
    features_.resize(size_t(n) * channels_);
    std::vector<T> halves(2 * n);
#pragma omp parallel for schedule(static) num_threads(threads)
    for (int64_t i = 0; i < n; ++i) {
      const int32_t id = ids_[i] = unsorted[order[i]];
      splats_[i] = splats[id];
      splats_[i].row = int32_t(i);
      halves[2 * i] = half[2 * id];
      halves[2 * i + 1] = half[2 * id + 1];
      T *row = &features_[size_t(i) * channels_];
      std::copy(g.features + size_t(id) * g.channels, g.features + size_t(id + 1) * g.channels, row);
      if (with_depth) row[g.channels] = depth[id];
    }
    bins_ = bin(splats_, halves, camera_.width, camera_.height, threads);
  }

  // image (H, W, channels) and alpha (H, W)
  void blend(T *image, T *alpha) const {
    for_tiles<false>([](int, Scratch<T> &) {}, [&](const Block<T> &b, int count, Scratch<T> &s, Vec<T> end) {
      blend_forward(b, count, s, channels_, end, image, alpha);
    }, [](const Entry *, int, Scratch<T> &) {});
  }

  void backward(const Gaussians<T> &g, const T *v_image, const T *v_alpha, const GaussianGrads<T> &out) const {
    const int64_t slots = bins_.splat_start.back();
    // not cleared: what is read has been written
    const std::unique_ptr<T[]> shape(new T[size_t(slots) * 6]), colour(new T[size_t(slots) * std::min(channels_, kChannelsAtOnce)]);
    std::vector<T> depth_grad(with_depth_ ? splats_.size() : 0);
    for (int first = 0; first < channels_ || first == 0; first += kChannelsAtOnce) {
      const int width = std::min(kChannelsAtOnce, channels_ - first), stride = channel_stride(width);
      for_tiles<true>([&](int n, Scratch<T> &s) {
        if (first == 0) s.moments.assign(size_t(n) * 6 * kLanes, T(0));
        s.channels.assign(size_t(n) * stride, T(0));
      }, [&](const Block<T> &b, int count, Scratch<T> &s, Vec<T> end) {
        if (first == 0) blend_backward_shape(b, count, s, channels_, end, v_image, v_alpha);
        if (width > 0) blend_backward_channels(b, count, s, channels_, first, width, v_image);
      }, [&](const Entry *entries, int n, Scratch<T> &s) {
        for (int i = 0; i < n; ++i) {
          finish_channels(&s.channels[size_t(i) * stride], width, &colour[size_t(entries[i].slot) * width]);
          if (first == 0)
            for (int m = 0; m < 6; ++m) shape[entries[i].slot * 6 + m] = sum<T>(load(&s.moments[(size_t(i) * 6 + m) * kLanes]));
        }
      });
      gather_colours(colour.get(), first, width, g.channels, out.features, depth_grad);
    }
    gather_shapes(g, shape.get(), depth_grad, out);
  }

  // The Gaussians of each pixel, front to back. With ids == nullptr only counts are written.
  void weights(int32_t *counts, const int64_t *starts, int32_t *ids, T *weight) const {
    for_tiles<false>([](int, Scratch<T> &) {}, [&](const Block<T> &b, int count, Scratch<T> &s, Vec<T>) {
      for (int i = 0; i < kLanes; ++i) {
        if (b.pixel[i] < 0) continue;
        int32_t found = 0;
        for (int k = 0; k < count; ++k) {
          const T w = s.weight[k * kLanes + i];
          if (w <= 0) continue;
          if (ids) {
            ids[starts[b.pixel[i]] + found] = ids_[s.splats[s.hit[k]].row];
            weight[starts[b.pixel[i]] + found] = w;
          }
          ++found;
        }
        if (!ids) counts[b.pixel[i]] = found;
      }
    }, [](const Entry *, int, Scratch<T> &) {});
  }

  // The weights summed within the cells of a grid that covers the image evenly; a pair may come once for each tile, and
  // does not come where its sum is not above `least`. A pixel is left where what is still seen through it, over all
  // pixels of a cell, could not reach `least` either.
  std::vector<CellWeight<T>> cell_weights(int columns, int rows, T least) const {
    std::vector<int32_t> column(camera_.width), row(camera_.height);
    for (int x = 0; x < camera_.width; ++x) column[x] = int32_t(int64_t(x) * columns / camera_.width);
    for (int y = 0; y < camera_.height; ++y) row[y] = int32_t(int64_t(y) * rows / camera_.height);
    std::vector<std::vector<CellWeight<T>>> found(bins_.tile_start.size() - 1);
    const int tiles_x = (camera_.width + kTile - 1) / kTile;
    const auto span = [&](const Scratch<T> &s) {  // columns and rows of cells that a tile touches
      return std::pair(column[std::min(s.x0 + kTile, camera_.width) - 1] - column[s.x0] + 1,
                       row[std::min(s.y0 + kTile, camera_.height) - 1] - row[s.y0] + 1);
    };
    for_tiles<false>([&](int n, Scratch<T> &s) {
      const auto [wide, high] = span(s);
      s.cells.assign(size_t(n) * wide * high, T(0));
    }, [&](const Block<T> &b, int count, Scratch<T> &s, Vec<T>) {
      const auto [wide, high] = span(s);
      int local[kLanes];
      bool one = true;
      for (int i = 0; i < kLanes; ++i) {
        const int64_t pixel = std::max<int64_t>(b.pixel[i], 0);  // lanes outside the image have no weight
        local[i] = b.pixel[i] < 0 ? 0 : (row[pixel / camera_.width] - row[s.y0]) * wide + column[pixel % camera_.width] - column[s.x0];
        one &= b.pixel[i] >= 0 && local[i] == local[0];
      }
      for (int k = 0; k < count; ++k) {
        T *cells = &s.cells[size_t(s.hit[k]) * wide * high];
        if (one) {
          cells[local[0]] += sum<T>(load(&s.weight[k * kLanes]));
        } else {
          for (int i = 0; i < kLanes; ++i)
            if (b.pixel[i] >= 0) cells[local[i]] += s.weight[k * kLanes + i];
        }
      }
    }, [&](const Entry *entries, int n, Scratch<T> &s) {
      const auto [wide, high] = span(s);
      auto &out = found[s.y0 / kTile * tiles_x + s.x0 / kTile];
      for (int i = 0; i < n; ++i)
        for (int c = 0; c < wide * high; ++c) {
          const T w = s.cells[size_t(i) * wide * high + c];
          if (w > least) out.push_back({ids_[entries[i].splat], (row[s.y0] + c / wide) * columns + column[s.x0] + c % wide, w});
        }
    }, least * columns * rows / (T(camera_.width) * camera_.height));
    std::vector<CellWeight<T>> all;
    size_t total = 0;
    for (const auto &part : found) total += part.size();
    all.reserve(total);
    for (const auto &part : found) all.insert(all.end(), part.begin(), part.end());
    return all;
  }

 private:
  template <bool kGradients, class Begin, class Do, class End> void for_tiles(Begin begin, Do each_block, End end, T rest = 0) const {
    const int tiles_x = (camera_.width + kTile - 1) / kTile;
    const int tiles = int(bins_.tile_start.size()) - 1;
#pragma omp parallel num_threads(threads_)
    {
      Scratch<T> s;
#pragma omp for schedule(dynamic, 2)
      for (int tile = 0; tile < tiles; ++tile) {
        const Entry *entries = bins_.entries.data() + bins_.tile_start[tile];
        const int n = int(bins_.tile_start[tile + 1] - bins_.tile_start[tile]);
        if (s.splats.size() < size_t(n)) s.reserve(std::max(size_t(n), 2 * s.splats.size()));
        if (s.candidates.empty()) s.reserve(1);
        for (int i = 0; i < n; ++i) s.splats[i] = splats_[entries[i].splat];
        list_candidates(entries, n, s);
        s.x0 = tile % tiles_x * kTile, s.y0 = tile / tiles_x * kTile;
        begin(n, s);
        for (int block = 0; block < kBlocks; ++block) {
          const int x = s.x0 + block % 4 * kBlockWidth, y = s.y0 + block / 4 * kBlockHeight;
          if (x >= camera_.width || y >= camera_.height) continue;
          const Block<T> b = block_at<T>(x, y, camera_.width, camera_.height);
          Vec<T> transmittance;
          const int count = march<T, kGradients>(b, &s.candidates[size_t(block) * n], s.listed[block], rest, s, transmittance);
          for (int k = 0; k < count; ++k) s.row[k] = &features_[size_t(s.splats[s.hit[k]].row) * channels_];
          each_block(b, count, s, transmittance);
        }
        end(entries, n, s);
      }
    }
  }

  void gather_colours(const T *colour, int first, int width, int channels, T *out, std::vector<T> &depth_grad) const {
#pragma omp parallel for schedule(static) num_threads(threads_)
    for (int64_t i = 0; i < int64_t(splats_.size()); ++i) {
      T total[kChannelsAtOnce] = {};
      for (int64_t slot = bins_.splat_start[i]; slot < bins_.splat_start[i + 1]; ++slot)
        if (bins_.slot_blocks[slot])
          for (int j = 0; j < width; ++j) total[j] += colour[size_t(slot) * width + j];
      const int own = std::min(width, channels - first);  // the depth channel is the last and is not an input
      if (own > 0) std::copy_n(total, own, out + size_t(ids_[i]) * channels + first);
      if (with_depth_ && first + width == channels_) depth_grad[i] = total[width - 1];
    }
  }

  void gather_shapes(const Gaussians<T> &g, const T *shape, const std::vector<T> &depth_grad, const GaussianGrads<T> &out) const {
    const int64_t n = int64_t(splats_.size());
    std::vector<double> pose(kPoseBlocks * 12, 0.0);
    const int64_t groups = (n + kLanes - 1) / kLanes;
#pragma omp parallel for schedule(static) num_threads(threads_)
    for (int part = 0; part < kPoseBlocks; ++part) {
      Vec<T> v_pose[12] = {};
      for (int64_t group = groups * part / kPoseBlocks; group < groups * (part + 1) / kPoseBlocks; ++group) {
        const int64_t first = group * kLanes;
        const Rows rows(first, n, ids_.data());
        SplatGrad<Vec<T>> d = {};
        for (int i = 0; i < rows.count; ++i) {
          T m[6] = {};
          for (int64_t slot = bins_.splat_start[first + i]; slot < bins_.splat_start[first + i + 1]; ++slot)
            if (bins_.slot_blocks[slot])
              for (int j = 0; j < 6; ++j) m[j] += shape[slot * 6 + j];
          const Splat<T> &s = splats_[first + i];
          d.mx[i] = (2 * s.A * m[1] + s.B * m[2]) / T(kLog2e);
          d.my[i] = (s.B * m[1] + 2 * s.C * m[2]) / T(kLog2e);
          d.A[i] = m[3] / 2, d.B[i] = m[4], d.C[i] = m[5] / 2;
          if (with_depth_) d.depth[i] = depth_grad[first + i];
          out.opacities[rows.id[i]] = -m[0] / g.opacities[rows.id[i]];
        }
        Vec<T> mean[3], quat[4], scale[3], v_mean[3], v_quat[4], v_scale[3];
        rows.load(g, mean, quat, scale);
        project_backward<T>(camera_, mean, quat, scale, d, v_mean, v_quat, v_scale, v_pose);
        scatter<T, 3>(v_mean, rows.id, rows.count, out.means);
        scatter<T, 4>(v_quat, rows.id, rows.count, out.quats);
        scatter<T, 3>(v_scale, rows.id, rows.count, out.scales);
      }
      for (int j = 0; j < 12; ++j) pose[part * 12 + j] = sum<T>(v_pose[j]);
    }
    for (int j = 0; j < 12; ++j) {
      double total = 0;
      for (int part = 0; part < kPoseBlocks; ++part) total += pose[part * 12 + j];
      out.pose[j] = T(total);
    }
  }

  // Up to eight Gaussians: rows `first` on, or the inputs that ids names there; lanes past the end repeat the first row.
  struct Rows {
    int64_t id[kLanes];
    int count;
    Rows(int64_t first, int64_t n, const int32_t *ids) : count(int(std::min<int64_t>(kLanes, n - first))) {
      for (int i = 0; i < kLanes; ++i) {
        const int64_t row = first + (i < count ? i : 0);
        id[i] = ids ? ids[row] : row;
      }
    }
    void load(const Gaussians<T> &g, Vec<T> *mean, Vec<T> *quat, Vec<T> *scale) const {
      gather<T, 3>(g.means, id, mean);
      gather<T, 4>(g.quats, id, quat);
      gather<T, 3>(g.scales, id, scale);
    }
  };

  CameraView<T> camera_;
  int channels_;
  bool with_depth_;
  int threads_;
  std::vector<int32_t> ids_;        // input index of each visible Gaussian, in depth order
  std::vector<Splat<T>> splats_;    // in depth order
  std::vector<T> features_;         // (visible, channels), in depth order, depth as the last channel where asked for
  Bins bins_;
};

}  // namespace rd
