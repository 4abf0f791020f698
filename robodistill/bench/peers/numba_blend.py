"""Blending of a tile's Gaussians, forward and backward, as numba kernels in float32.

Per Gaussian, the pixels in the rows that it reaches are one stretch of memory: its alphas are worked out in loops
without branches, which LLVM turns into vector instructions. The channels follow, a vector for each pixel that the
Gaussian changes; a vector of pixels per channel was no faster at 3 channels and twice as slow at 12.
"""

import math

import numpy as np
from numba import njit, prange

from robodistill.bench.peers.numba_project import ALPHA_MIN, TILE, f32, jit, pjit

PIXELS = TILE * TILE
ALPHA_MAX = np.float32(0.999)
LIGHT_MIN = np.float32(1e-4)


def _exp2_polynomial() -> tuple:
    """Coefficients of 2^f on [-1/2, 1/2], to 1e-8: the polynomial through six Chebyshev nodes."""
    fit = np.polynomial.Chebyshev.interpolate(np.exp2, 5, domain=[-0.5, 0.5])
    return tuple(np.float32(c) for c in fit.convert(kind=np.polynomial.Polynomial).coef)


_C0, _C1, _C2, _C3, _C4, _C5 = _exp2_polynomial()
_LOG2E = np.float32(1 / math.log(2))


@njit(fastmath=True, inline="always")
def _exp_negative(sigma):
    """exp(-sigma) for sigma >= 0 in float32: numba calls the C library for `exp`, which no loop can vectorise."""
    t = max(-sigma * _LOG2E, f32(-126))
    whole = np.floor(t + f32(0.5))
    f = t - whole
    power = np.int32((np.int32(whole) + np.int32(127)) << np.int32(23)).view(np.float32)
    return power * (_C0 + f * (_C1 + f * (_C2 + f * (_C3 + f * (_C4 + f * _C5)))))


@jit
def _rows(splat, y0):
    """Rows of the tile at `y0` where the Gaussian's alpha can reach 1/255."""
    A, B, C = splat[2], splat[3], splat[4]
    reach = math.sqrt(f32(2) * math.log(splat[5] / ALPHA_MIN) * A / (A * C - B * B)) + f32(1e-3)
    low, high = math.ceil(splat[1] - reach - y0), math.floor(splat[1] + reach - y0) + 1
    return int(min(max(low, 0), TILE)), int(min(max(high, 0), TILE))


@jit
def _weigh(k, splat, x, y, light, last, weight):
    """Weights of the `k`-th Gaussian; `light` is what is left behind it, its sign turned once a pixel is done."""
    u, v, A, B, C = splat[0], splat[1], f32(0.5) * splat[2], splat[3], f32(0.5) * splat[4]
    opacity = splat[5]
    for i in range(len(weight)):
        dx, dy = u - x[i], v - y[i]
        sigma = A * dx * dx + C * dy * dy + B * dx * dy
        alpha = min(ALPHA_MAX, opacity * _exp_negative(sigma))
        alpha = alpha if alpha >= ALPHA_MIN and sigma >= f32(0) else f32(0)
        left = light[i] * (f32(1) - alpha)
        stop = left <= LIGHT_MIN
        weight[i] = f32(0) if stop else light[i] * alpha
        last[i] = last[i] if stop or alpha == f32(0) else f32(k)
        light[i] = -abs(light[i]) if stop else left


@jit
def _unweigh(k, splat, x, y, last, light, peak, weight):
    """The same on the way back: `light` becomes what was left in front; `peak` is alpha before it was clamped."""
    u, v, A, B, C = splat[0], splat[1], f32(0.5) * splat[2], splat[3], f32(0.5) * splat[4]
    opacity = splat[5]
    for i in range(len(weight)):
        dx, dy = u - x[i], v - y[i]
        sigma = A * dx * dx + C * dy * dy + B * dx * dy
        raw = opacity * _exp_negative(sigma)
        raw = raw if raw >= ALPHA_MIN and sigma >= f32(0) and f32(k) <= last[i] else f32(0)
        alpha = min(ALPHA_MAX, raw)
        light[i] = light[i] / (f32(1) - alpha)
        weight[i] = light[i] * alpha
        peak[i] = raw


@jit
def _pull(splat, x, y, light, peak, shade, rest, out):
    """Gradients of centre, conic and opacity; `rest` is the gradient that comes through what lies behind."""
    u, v, A, B, C = splat[0], splat[1], splat[2], splat[3], splat[4]
    m, mx, my, mxx, mxy, myy = f32(0), f32(0), f32(0), f32(0), f32(0), f32(0)
    for i in range(len(light)):
        dx, dy = u - x[i], v - y[i]
        alpha = min(ALPHA_MAX, peak[i])
        v_alpha = light[i] * shade[i] + rest[i] / (f32(1) - alpha)
        rest[i] -= light[i] * alpha * shade[i]
        g = -peak[i] * v_alpha if peak[i] <= ALPHA_MAX else f32(0)
        m += g
        mx += g * dx
        my += g * dy
        mxx += g * dx * dx
        mxy += g * dx * dy
        myy += g * dy * dy
    out[0], out[1] = A * mx + B * my, B * mx + C * my
    out[2], out[3], out[4] = f32(0.5) * mxx, mxy, f32(0.5) * myy
    out[5] = -m / splat[5]


@jit
def _active(weight, found):
    """Write the indices of positive weights to `found`, without a branch; return how many there are."""
    count = 0
    for i in range(len(weight)):
        found[count] = i
        count += weight[i] > f32(0)
    return count


@jit
def _add(weight, color, rows, found):
    count = _active(weight, found)
    if len(color) == 4:  # loops of known length are unrolled
        c0, c1, c2, c3 = color[0], color[1], color[2], color[3]
        for j in range(count):
            i = found[j]
            w = weight[i]
            rows[i, 0] += w * c0
            rows[i, 1] += w * c1
            rows[i, 2] += w * c2
            rows[i, 3] += w * c3
        return
    for j in range(count):
        row, w = rows[found[j]], weight[found[j]]
        for c in range(len(color)):
            row[c] += w * color[c]


@jit
def _shade(weight, color, v_rows, shade, v_color, found):
    """`shade`: product of colour and image gradient at each pixel; `v_color`: weighted sum of image gradients."""
    count = _active(weight, found)
    if len(color) == 4:
        c0, c1, c2, c3 = color[0], color[1], color[2], color[3]
        s0, s1, s2, s3 = f32(0), f32(0), f32(0), f32(0)
        for j in range(count):
            i = found[j]
            w, v0, v1, v2, v3 = weight[i], v_rows[i, 0], v_rows[i, 1], v_rows[i, 2], v_rows[i, 3]
            shade[i] = c0 * v0 + c1 * v1 + c2 * v2 + c3 * v3
            s0, s1, s2, s3 = s0 + w * v0, s1 + w * v1, s2 + w * v2, s3 + w * v3
        v_color[0], v_color[1], v_color[2], v_color[3] = s0, s1, s2, s3
        return
    v_color[:] = f32(0)
    if count % 2:
        found[count] = found[count - 1]  # a pixel of weight 0 makes the last one a pair
    for j in range(0, count, 2):  # two pixels share a pass over v_color
        a, b = found[j], found[j + 1]
        va, vb, wa, wb, total_a, total_b = v_rows[a], v_rows[b], weight[a], weight[b], f32(0), f32(0)
        if j + 1 == count:
            wb = f32(0)
        for c in range(len(color)):
            total_a += color[c] * va[c]
            total_b += color[c] * vb[c]
            v_color[c] += wa * va[c] + wb * vb[c]
        shade[a], shade[b] = total_a, total_b


@jit
def _pixel_centres(x0, y0):
    x, y = np.empty(PIXELS, np.float32), np.empty(PIXELS, np.float32)
    for i in range(PIXELS):
        x[i], y[i] = f32(x0) + f32(i % TILE) + f32(0.5), f32(y0) + f32(i // TILE) + f32(0.5)
    return x, y


@pjit
def forward(splats, colors, start, owner, width, height, background):
    """Image (H, W, D), alpha (H, W); and per tile what is left of the light and the index of the last Gaussian."""
    D = colors.shape[1]
    across = -(-width // TILE)
    image, alpha = np.empty((height, width, D), np.float32), np.empty((height, width), np.float32)
    lights = np.empty((len(start) - 1, PIXELS), np.float32)
    lasts = np.empty((len(start) - 1, PIXELS), np.float32)
    for tile in prange(len(start) - 1):
        x0, y0 = tile % across * TILE, tile // across * TILE
        x, y = _pixel_centres(x0, y0)
        bottom = min(TILE, height - y0)
        light, last = lights[tile], lasts[tile]
        light[:] = f32(1)
        last[:] = f32(-1)
        weight, found = np.empty(PIXELS, np.float32), np.empty(PIXELS + 1, np.int32)
        rows = np.zeros((PIXELS, D), np.float32)
        for k in range(start[tile], start[tile + 1]):
            i = owner[k]
            top, end = _rows(splats[i], f32(y0 + 0.5))
            p, q = top * TILE, min(end, bottom) * TILE
            if p >= q:
                continue
            _weigh(k - start[tile], splats[i], x[p:q], y[p:q], light[p:q], last[p:q], weight[p:q])
            _add(weight[p:q], colors[i], rows[p:q], found)
            if k % 16 == 0 and light[: bottom * TILE].max() < f32(0):
                break
        for row in range(bottom):
            for column in range(min(TILE, width - x0)):
                i = row * TILE + column
                left = abs(light[i])
                alpha[y0 + row, x0 + column] = f32(1) - left
                for c in range(D):
                    image[y0 + row, x0 + column, c] = rows[i, c] + left * background[c]
    return image, alpha, lights, lasts


@pjit
def backward(splats, colors, start, slots, owner, width, height, background, lights, lasts, v_image, v_alpha):
    """Gradients of each slot (n, D + 6): colours, centre, conic, opacity."""
    D = colors.shape[1]
    across = -(-width // TILE)
    grads = np.zeros((len(slots), D + 6), np.float32)
    for tile in prange(len(start) - 1):
        x0, y0 = tile % across * TILE, tile // across * TILE
        x, y = _pixel_centres(x0, y0)
        bottom, right = min(TILE, height - y0), min(TILE, width - x0)
        light, last = np.abs(lights[tile]), lasts[tile]
        peak, weight = np.empty(PIXELS, np.float32), np.empty(PIXELS, np.float32)
        shade, rest = np.zeros(PIXELS, np.float32), np.zeros(PIXELS, np.float32)
        found = np.empty(PIXELS + 1, np.int32)
        v = np.zeros((PIXELS, D), np.float32)
        for row in range(bottom):
            for column in range(right):
                i = row * TILE + column
                through = f32(0)
                for c in range(D):
                    v[i, c] = v_image[y0 + row, x0 + column, c]
                    through += background[c] * v[i, c]
                rest[i] = light[i] * (v_alpha[y0 + row, x0 + column] - through)
        for k in range(start[tile] + int(last.max()), start[tile] - 1, -1):
            i, grad = owner[k], grads[slots[k]]
            top, end = _rows(splats[i], f32(y0 + 0.5))
            p, q = top * TILE, min(end, bottom) * TILE
            if p >= q:
                continue
            _unweigh(k - start[tile], splats[i], x[p:q], y[p:q], last[p:q], light[p:q], peak[p:q], weight[p:q])
            _shade(weight[p:q], colors[i], v[p:q], shade[p:q], grad[:D], found)
            _pull(splats[i], x[p:q], y[p:q], light[p:q], peak[p:q], shade[p:q], rest[p:q], grad[D:])
    return grads
