"""Projection of Gaussians and their assignment to tiles, forward and backward, as numba kernels in float32.

The same algorithm as the compiled kernel: tight ellipse-against-tile test, a radix sort of the depths, then a counting
sort into tiles. Each (Gaussian, tile) pair owns a *slot*; slots of one Gaussian are neighbours, so that gradients are
summed without atomics and in a fixed order.
"""

import math

import numpy as np
from numba import njit, prange

TILE = 16
BLOCKS = 64  # fixed, so that the sum of the pose gradient does not depend on the number of threads
ALPHA_MIN = np.float32(1 / 255)
EXTENT = np.float32(3.33)
MARGIN = np.float32(1e-3)

f32 = np.float32
jit = njit(cache=True, fastmath=True, error_model="numpy")
pjit = njit(cache=True, fastmath=True, error_model="numpy", parallel=True)


@jit
def _rotation(q, R):
    """Write the matrix of quaternion `q` to `R`; return the length of `q`."""
    norm = math.sqrt(q[0] * q[0] + q[1] * q[1] + q[2] * q[2] + q[3] * q[3])
    w, x, y, z = q[0] / norm, q[1] / norm, q[2] / norm, q[3] / norm
    two, one = f32(2), f32(1)
    R[0, 0], R[0, 1], R[0, 2] = one - two * (y * y + z * z), two * (x * y - w * z), two * (x * z + w * y)
    R[1, 0], R[1, 1], R[1, 2] = two * (x * y + w * z), one - two * (x * x + z * z), two * (y * z - w * x)
    R[2, 0], R[2, 1], R[2, 2] = two * (x * z - w * y), two * (y * z + w * x), one - two * (x * x + y * y)
    return norm


@jit
def _slope_limits(K, width, height):
    """Least and greatest x/z and y/z at which the projection is linearised."""
    side_x, side_y = f32(0.15) * width / K[0, 0], f32(0.15) * height / K[1, 1]
    low_x, high_x = -K[0, 2] / K[0, 0] - side_x, (width - K[0, 2]) / K[0, 0] + side_x
    low_y, high_y = -K[1, 2] / K[1, 1] - side_y, (height - K[1, 2]) / K[1, 1] + side_y
    return f32(low_x), f32(high_x), f32(low_y), f32(high_y)


@pjit
def project(means, quats, scales, opacities, view, K, width, height, near, far, eps2d):
    """Splats (N, 6): centre, conic, opacity; covariances' xx, xy, yy (N, 3); depths; radii (N, 2), 0 = not visible."""
    n = len(means)
    splats, covs = np.empty((n, 6), np.float32), np.empty((n, 3), np.float32)
    depths, radii = np.empty(n, np.float32), np.zeros((n, 2), np.float32)
    fx, fy = K[0, 0], K[1, 1]
    low_x, high_x, low_y, high_y = _slope_limits(K, width, height)
    for block in prange(BLOCKS):
        Rq, U = np.empty((3, 3), np.float32), np.empty((2, 3), np.float32)
        for i in range(n * block // BLOCKS, n * (block + 1) // BLOCKS):
            m = means[i]
            x = view[0, 0] * m[0] + view[0, 1] * m[1] + view[0, 2] * m[2] + view[0, 3]
            y = view[1, 0] * m[0] + view[1, 1] * m[1] + view[1, 2] * m[2] + view[1, 3]
            z = view[2, 0] * m[0] + view[2, 1] * m[1] + view[2, 2] * m[2] + view[2, 3]
            depths[i] = z
            opacity = opacities[i]
            if not (z > near and z < far and opacity >= ALPHA_MIN):
                continue
            _rotation(quats[i], Rq)
            kx, ky = min(max(x / z, low_x), high_x), min(max(y / z, low_y), high_y)
            for j in range(3):
                a = (view[0, 0] * Rq[0, j] + view[0, 1] * Rq[1, j] + view[0, 2] * Rq[2, j]) * scales[i, j]
                b = (view[1, 0] * Rq[0, j] + view[1, 1] * Rq[1, j] + view[1, 2] * Rq[2, j]) * scales[i, j]
                c = (view[2, 0] * Rq[0, j] + view[2, 1] * Rq[1, j] + view[2, 2] * Rq[2, j]) * scales[i, j]
                U[0, j], U[1, j] = fx / z * (a - kx * c), fy / z * (b - ky * c)
            xx = U[0, 0] * U[0, 0] + U[0, 1] * U[0, 1] + U[0, 2] * U[0, 2] + eps2d
            xy = U[0, 0] * U[1, 0] + U[0, 1] * U[1, 1] + U[0, 2] * U[1, 2]
            yy = U[1, 0] * U[1, 0] + U[1, 1] * U[1, 1] + U[1, 2] * U[1, 2] + eps2d
            det = max(xx * yy - xy * xy, f32(1e-10))
            u, v = fx * x / z + K[0, 2], fy * y / z + K[1, 2]
            reach = min(EXTENT, math.sqrt(f32(2) * math.log(opacity / ALPHA_MIN)))
            radius_x, radius_y = math.ceil(reach * math.sqrt(xx)), math.ceil(reach * math.sqrt(yy))
            if u + radius_x > 0 and u - radius_x < width and v + radius_y > 0 and v - radius_y < height:
                radii[i, 0], radii[i, 1] = radius_x, radius_y
                splats[i, 0], splats[i, 1] = u, v
                splats[i, 2], splats[i, 3], splats[i, 4] = yy / det, -xy / det, xx / det
                splats[i, 5] = opacity
                covs[i, 0], covs[i, 1], covs[i, 2] = xx, xy, yy
    return splats, covs, depths, radii


@jit
def _nearest_sigma(splat, cov, x0, y0, x1, y1):
    """Least sigma over a rectangle: on one of the two sides that face the centre, where it is a parabola."""
    A, B, C = splat[2], splat[3], splat[4]
    dx, dy = min(max(splat[0], x0), x1) - splat[0], min(max(splat[1], y0), y1) - splat[1]
    ey = min(max(cov[1] / cov[0] * dx, y0 - splat[1]), y1 - splat[1])
    ex = min(max(cov[1] / cov[2] * dy, x0 - splat[0]), x1 - splat[0])
    return min(
        f32(0.5) * (A * dx * dx + C * ey * ey) + B * dx * ey, f32(0.5) * (A * ex * ex + C * dy * dy) + B * ex * dy
    )


@jit
def _tiles_of(i, splats, covs, radii, across, down, tiles):
    """Count the tiles that Gaussian `i` reaches; write them to `tiles` unless that is empty."""
    u, v, rx, ry = splats[i, 0], splats[i, 1], radii[i, 0], radii[i, 1]
    limit = math.log(splats[i, 5] / ALPHA_MIN) + MARGIN
    count = 0
    for ty in range(max(0, int((v - ry) // TILE)), min(down, int(math.ceil((v + ry) / TILE)))):
        for tx in range(max(0, int((u - rx) // TILE)), min(across, int(math.ceil((u + rx) / TILE)))):
            x0, y0 = f32(tx * TILE + 0.5), f32(ty * TILE + 0.5)
            if _nearest_sigma(splats[i], covs[i], x0, y0, x0 + f32(TILE - 1), y0 + f32(TILE - 1)) <= limit:
                if len(tiles):
                    tiles[count] = ty * across + tx
                count += 1
    return count


@jit
def _by_depth(depths, radii):
    """Indices of the visible Gaussians, nearest first, ties by index: three stable passes of 11 bits."""
    n = len(depths)
    order, other = np.empty(n, np.int32), np.empty(n, np.int32)
    count = 0
    for i in range(n):
        if radii[i, 0] > 0:
            order[count] = i
            count += 1
    keys = depths.view(np.uint32)  # positive floats sort as their bits
    for shift in (0, 11, 22):
        starts = np.zeros(2049, np.int64)
        for k in range(count):
            starts[((keys[order[k]] >> np.uint32(shift)) & np.uint32(2047)) + 1] += 1
        starts = np.cumsum(starts)
        for k in range(count):
            digit = (keys[order[k]] >> np.uint32(shift)) & np.uint32(2047)
            other[starts[digit]] = order[k]
            starts[digit] += 1
        order, other = other, order
    return order[:count]


@pjit
def assign(splats, covs, depths, radii, across, down):
    """Slots of Gaussian i: first[i]..first[i + 1]; of a tile, nearest first: slots[start[t]..start[t + 1]], `owner`."""
    n = len(splats)
    counts = np.zeros(n, np.int64)
    for i in prange(n):
        if radii[i, 0] > 0:
            counts[i] = _tiles_of(i, splats, covs, radii, across, down, np.empty(0, np.int32))
    first = np.zeros(n + 1, np.int64)
    first[1:] = np.cumsum(counts)
    tile_of_slot = np.empty(first[n], np.int32)
    for i in prange(n):
        if counts[i]:
            _tiles_of(i, splats, covs, radii, across, down, tile_of_slot[first[i] : first[i + 1]])
    start = np.zeros(across * down + 1, np.int64)
    for slot in range(first[n]):
        start[tile_of_slot[slot] + 1] += 1
    start = np.cumsum(start)
    fill = start.copy()
    slots, owner = np.empty(first[n], np.int32), np.empty(first[n], np.int32)
    for i in _by_depth(depths, radii):
        for slot in range(first[i], first[i + 1]):
            place = fill[tile_of_slot[slot]]
            fill[tile_of_slot[slot]] += 1
            slots[place], owner[place] = slot, i
    return first, start, slots, owner


@pjit
def project_backward(means, quats, scales, view, K, width, height, splats, first, slot_grads, channels):
    """Sum each Gaussian's slots and carry them to means, quats, scales, opacities, colours and the view matrix.

    A slot holds the gradients of at least `channels` colours, then of centre (2), conic (3) and opacity.
    """
    n, D, width_of_slot = len(means), channels, slot_grads.shape[1]
    v_means, v_quats = np.zeros((n, 3), np.float32), np.zeros((n, 4), np.float32)
    v_scales, v_opacities = np.zeros((n, 3), np.float32), np.zeros(n, np.float32)
    v_colors, v_views = np.zeros((n, D), np.float32), np.zeros((BLOCKS, 4, 4), np.float64)
    fx, fy = K[0, 0], K[1, 1]
    low_x, high_x, low_y, high_y = _slope_limits(K, width, height)
    R = view[:3, :3].copy()
    for block in prange(BLOCKS):
        Rq, RR, M = np.empty((3, 3), np.float32), np.empty((3, 3), np.float32), np.empty((3, 3), np.float32)
        V, J, dU = np.empty((3, 3), np.float32), np.zeros((2, 3), np.float32), np.empty((2, 3), np.float32)
        dJ, p, q = np.empty((2, 3), np.float32), np.empty(3, np.float32), np.empty(4, np.float32)
        g, total = np.empty(6, np.float32), np.empty(width_of_slot, np.float32)
        for i in range(n * block // BLOCKS, n * (block + 1) // BLOCKS):
            if first[i] == first[i + 1]:
                continue
            total[:] = 0
            for slot in range(first[i], first[i + 1]):
                for c in range(width_of_slot):
                    total[c] += slot_grads[slot, c]
            for c in range(D):
                v_colors[i, c] = total[c]
            for c in range(6):
                g[c] = total[width_of_slot - 6 + c]
            v_opacities[i] = g[5]

            norm = _rotation(quats[i], Rq)
            for a in range(3):
                p[a] = R[a, 0] * means[i, 0] + R[a, 1] * means[i, 1] + R[a, 2] * means[i, 2] + view[a, 3]
                for b in range(3):
                    RR[a, b] = R[a, 0] * Rq[0, b] + R[a, 1] * Rq[1, b] + R[a, 2] * Rq[2, b]
                    M[a, b] = RR[a, b] * scales[i, b]
            x, y, z = p[0], p[1], p[2]
            kx, ky = min(max(x / z, low_x), high_x), min(max(y / z, low_y), high_y)
            J[0, 0], J[0, 2], J[1, 1], J[1, 2] = fx / z, -fx * kx / z, fy / z, -fy * ky / z

            # dL/dSigma = -Q G Q, with G the symmetric gradient of the conic Q
            A, B, C = splats[i, 2], splats[i, 3], splats[i, 4]
            gA, gB, gC = g[2], f32(0.5) * g[3], g[4]
            h00, h01, h10, h11 = A * gA + B * gB, A * gB + B * gC, B * gA + C * gB, B * gB + C * gC
            s00, s01, s11 = -(h00 * A + h01 * B), -(h00 * B + h01 * C), -(h10 * B + h11 * C)
            for b in range(3):
                U0, U1 = J[0, 0] * M[0, b] + J[0, 2] * M[2, b], J[1, 1] * M[1, b] + J[1, 2] * M[2, b]
                dU[0, b], dU[1, b] = f32(2) * (s00 * U0 + s01 * U1), f32(2) * (s01 * U0 + s11 * U1)
            for a in range(2):
                for b in range(3):
                    dJ[a, b] = dU[a, 0] * M[b, 0] + dU[a, 1] * M[b, 1] + dU[a, 2] * M[b, 2]
            for b in range(3):
                d0, d1 = J[0, 0] * dU[0, b], J[1, 1] * dU[1, b]
                d2 = J[0, 2] * dU[0, b] + J[1, 2] * dU[1, b]
                v_scales[i, b] = d0 * RR[0, b] + d1 * RR[1, b] + d2 * RR[2, b]
                V[0, b], V[1, b], V[2, b] = d0 * scales[i, b], d1 * scales[i, b], d2 * scales[i, b]

            free_x, free_y = x / z == kx, y / z == ky  # z moves the slope only where it is not clamped
            dx, dy = g[0] * fx / z, g[1] * fy / z
            dz = -(g[0] * fx * x + g[1] * fy * y) / (z * z) - (dJ[0, 0] * fx + dJ[1, 1] * fy) / (z * z)
            dz += dJ[0, 2] * fx * kx / (z * z) * (f32(2) if free_x else f32(1))
            dz += dJ[1, 2] * fy * ky / (z * z) * (f32(2) if free_y else f32(1))
            if free_x:
                dx -= dJ[0, 2] * fx / (z * z)
            if free_y:
                dy -= dJ[1, 2] * fy / (z * z)
            p[0], p[1], p[2] = dx, dy, dz
            for a in range(3):
                v_means[i, a] = R[0, a] * dx + R[1, a] * dy + R[2, a] * dz
                for b in range(3):
                    v_views[block, a, b] += p[a] * means[i, b]
                    v_views[block, a, b] += V[a, 0] * Rq[b, 0] + V[a, 1] * Rq[b, 1] + V[a, 2] * Rq[b, 2]
                v_views[block, a, 3] += p[a]
            for a in range(3):
                for b in range(3):
                    M[a, b] = R[0, a] * V[0, b] + R[1, a] * V[1, b] + R[2, a] * V[2, b]  # now dL/dR_q
            for a in range(4):
                q[a] = quats[i, a] / norm
            _quaternion_gradient(q, norm, M, v_quats[i])
    return v_means, v_quats, v_scales, v_opacities, v_colors, v_views.sum(0).astype(np.float32)


@jit
def _quaternion_gradient(q, norm, V, out):
    """Carry the gradient `V` of the rotation matrix to the quaternion that was normalised to `q`."""
    w, x, y, z = q[0], q[1], q[2], q[3]
    two = f32(2)
    out[0] = two * (z * (V[1, 0] - V[0, 1]) + y * (V[0, 2] - V[2, 0]) + x * (V[2, 1] - V[1, 2]))
    out[1] = two * (y * (V[0, 1] + V[1, 0]) + z * (V[0, 2] + V[2, 0]) + w * (V[2, 1] - V[1, 2]))
    out[1] -= two * two * x * (V[1, 1] + V[2, 2])
    out[2] = two * (x * (V[0, 1] + V[1, 0]) + z * (V[1, 2] + V[2, 1]) + w * (V[0, 2] - V[2, 0]))
    out[2] -= two * two * y * (V[0, 0] + V[2, 2])
    out[3] = two * (x * (V[0, 2] + V[2, 0]) + y * (V[1, 2] + V[2, 1]) + w * (V[1, 0] - V[0, 1]))
    out[3] -= two * two * z * (V[0, 0] + V[1, 1])
    along = out[0] * w + out[1] * x + out[2] * y + out[3] * z
    for a in range(4):
        out[a] = (out[a] - along * q[a]) / norm
