"""`bench raster`: the compiled kernel against the per-tile PyTorch twin and a numba kernel, on the same scenes.

A scene is a cloud of random Gaussians, as many to a pixel as a heavy view of a room has. Times are of forward and
backward together from Python, with every gradient, pose included; the ratio is that of the medians in one run.
"""

import logging
import time
from collections.abc import Callable, Iterable
from statistics import median

import numpy as np
import torch

from robodistill.bench.rows import BenchResult, Row
from robodistill.errors import MissingPart
from robodistill.progress import Progress, silent
from robodistill.raster.rasterize import rasterize

log = logging.getLogger(__name__)

WIDTH, HEIGHT, GAUSSIANS = 320, 240, 20_000


def random_scene(seed: int, channels: int, gaussians: int = GAUSSIANS) -> list[torch.Tensor]:
    """Means, quats, scales, opacities, colours, view matrix and K of a cloud that fills the view of one camera."""
    g = torch.Generator().manual_seed(seed)
    means = torch.randn(gaussians, 3, generator=g) * torch.tensor([1.2, 0.9, 0.6]) + torch.tensor([0, 0, 3.0])
    quats = torch.randn(gaussians, 4, generator=g)
    scales = 0.03 * (20_000 / gaussians) ** 0.5 * torch.exp(0.4 * torch.randn(gaussians, 3, generator=g))
    opacities = 0.1 + 0.9 * torch.rand(gaussians, generator=g)
    colors = torch.rand(gaussians, channels, generator=g)
    K = torch.tensor([[0.9 * WIDTH, 0, WIDTH / 2], [0, 0.9 * WIDTH, HEIGHT / 2], [0, 0, 1]])
    return [means, quats, scales, opacities, colors, torch.eye(4)[None], K[None]]


def bench_raster(seeds: Iterable[int], quick: bool = False, progress: Progress = silent) -> BenchResult:
    """Rows `speedup_vs_twin`, `speedup_vs_numba`, `cost_64_over_3`, `same_bits`."""
    seeds = list(seeds)[: 1 if quick else 3]
    repeats = 3 if quick else 9
    rows: list[Row] = []
    times: dict[tuple[str, int], list[float]] = {}
    numba_why = ""
    for k, seed in enumerate(seeds):
        for channels in (3, 64):
            progress("scenes", 2 * k + (channels == 64), 2 * len(seeds), f"{channels} channels")
            scene = random_scene(seed, channels)
            times.setdefault(("kernel", channels), []).append(_time(_torch_run(scene, "kernel"), repeats))
            times.setdefault(("twin", channels), []).append(_time(_torch_run(scene, "twin"), 1 if quick else 2))
            try:
                times.setdefault(("numba", channels), []).append(_time(_numba_run(scene), repeats))
            except MissingPart as error:
                numba_why = str(error)
    progress("scenes", 2 * len(seeds), 2 * len(seeds))
    case, n = f"{WIDTH}x{HEIGHT} {GAUSSIANS} Gaussians", len(seeds)
    for (method, channels), values in times.items():
        if values:
            rows.append(Row(f"{case} {channels} ch", method, "forward_backward", 1000 * median(values), "ms", n))
    for channels in (3, 64):
        for peer in ("twin", "numba"):
            if times.get((peer, channels)):
                ratio = median(times[peer, channels]) / median(times["kernel", channels])
                rows.append(Row(f"{case} {channels} ch", "kernel", f"speedup_vs_{peer}", ratio, "x", n))
    cost = median(times["kernel", 64]) / median(times["kernel", 3])
    rows.append(Row(case, "kernel", "cost_64_over_3", cost, "x", n))
    rows.append(Row(case, "kernel", "same_bits", float(_same_bits(random_scene(seeds[0], 3))), "share", 3))
    if numba_why:
        log.warning("numba is left out: %s", numba_why)
    return BenchResult(rows)


def _time(run: Callable[[], object], repeats: int) -> float:
    """Median seconds of `run`, after one that is not counted."""
    run()
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - start)
    return median(seconds)


def _torch_run(scene: list[torch.Tensor], backend: str) -> Callable[[], list[torch.Tensor]]:
    inputs = [t.clone().requires_grad_() for t in scene[:6]]
    weight = torch.ones(1, HEIGHT, WIDTH, scene[4].shape[1])

    def run() -> list[torch.Tensor]:
        for t in inputs:
            t.grad = None
        image, _, _ = rasterize(*inputs, scene[6], WIDTH, HEIGHT, backend=backend)
        image.backward(weight)
        return [image.detach(), *(t.grad for t in inputs)]

    return run


def _numba_run(scene: list[torch.Tensor]) -> Callable[[], object]:
    from robodistill.bench.peers.raster_numba import rasterize_numba

    arrays = [t.numpy() for t in scene]
    arrays[5], arrays[6] = arrays[5][0], arrays[6][0]
    v_image = np.ones((HEIGHT, WIDTH, arrays[4].shape[1]), np.float32)
    v_alpha = np.zeros((HEIGHT, WIDTH), np.float32)

    def run() -> object:
        return rasterize_numba(*arrays, WIDTH, HEIGHT).backward(v_image, v_alpha)

    run()  # compiled here, outside the time
    return run


def _same_bits(scene: list[torch.Tensor]) -> bool:
    """Whether image and all gradients are the same for 1, 2 and 3 threads."""
    before, results = torch.get_num_threads(), []
    try:
        for threads in (1, 2, 3):
            torch.set_num_threads(threads)
            results.append(_torch_run(scene, "kernel")())
    finally:
        torch.set_num_threads(before)
    return all(torch.equal(a, b) for other in results[1:] for a, b in zip(results[0], other, strict=True))
