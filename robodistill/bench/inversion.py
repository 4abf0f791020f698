"""`bench inversion`: where was this picture taken? Ours beside SPINE's variant and SIFT-PnP from the nearest view.

Tables: fields of 40 noisy views, asked for 20 noisy pictures each from anywhere above the table, with and without
depth, and for 20 pictures of another table. A pose is a success within 5 cm and 5 degrees. `spine` is the paper's
coarse network and its one SIFT-PnP (`inversion/spine.py`); `nearest_sift` is one SIFT-PnP against the recorded view
nearest to the *true* pose, with its measured depth: it is told what no method knows. Medians are over the answers that
a method gives (`answered`), success over all. The kitchen (7-Scenes) is read from where ROBODISTILL_REDKITCHEN points.
"""

import logging
import os
import tempfile
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np

from robodistill.bench.inversion_scenes import Located, make_table, random_views, read_kitchen
from robodistill.bench.rows import BenchResult, Row
from robodistill.capture.frame import Frame
from robodistill.config import InversionConfig
from robodistill.inversion.estimate import PoseEstimate
from robodistill.inversion.locator import Locator
from robodistill.inversion.spine import PoseNetwork, one_shot
from robodistill.inversion.twist import pose_error
from robodistill.inversion.views import Picture, ViewPose, draw
from robodistill.progress import Progress, silent

log = logging.getLogger(__name__)

_NEAR = 0.05, np.radians(5)
_QUERIES, _QUICK_QUERIES = 20, 6


class _Answers:
    """Errors and times of one method in one case."""

    def __init__(self) -> None:
        self.errors: list[tuple[float, float] | None] = []
        self.converged: list[bool] = []
        self.seconds: list[float] = []

    def add(self, T: np.ndarray | None, truth: np.ndarray, seconds: float, converged: bool = True) -> None:
        self.errors.append(None if T is None else pose_error(T, truth))
        self.converged.append(converged)
        self.seconds.append(seconds)

    def rows(self, case: str, method: str) -> list[Row]:
        n = len(self.errors)
        given = np.array([e for e in self.errors if e is not None]).reshape(-1, 2)
        near = np.array([e is not None and e[0] < _NEAR[0] and e[1] < _NEAR[1] for e in self.errors])
        rows = [
            Row(case, method, "success", float(near.mean()), "", n),
            Row(case, method, "answered", len(given) / n, "", n),
            Row(case, method, "seconds", float(np.median(self.seconds)), "s", n),
            Row(case, method, "seconds_worst", float(np.max(self.seconds)), "s", n),
        ]
        if len(given):
            rows.append(Row(case, method, "median_cm", float(np.median(100 * given[:, 0])), "cm", len(given)))
            rows.append(Row(case, method, "median_deg", float(np.median(np.degrees(given[:, 1]))), "deg", len(given)))
        if method == "ours":
            sure = np.array(self.converged)
            rows.append(Row(case, method, "converged", float(sure.mean()), "", n))
            if sure.any():
                rows.append(Row(case, method, "converged_precision", float(near[sure].mean()), "", int(sure.sum())))
        return rows


def bench_inversion(seeds: Iterable[int], quick: bool = False, progress: Progress = silent) -> BenchResult:
    """Rows `median_cm`, `median_deg`, `success`, `converged_precision`, `foreign_refused`, `seconds` and more."""
    seeds = list(seeds)[: 2 if quick else None]
    count = _QUICK_QUERIES if quick else _QUERIES
    answers: dict[tuple[str, str], _Answers] = {}
    refused: dict[str, list[bool]] = {"rgbd": [], "rgb": []}
    prepared: dict[str, list[float]] = {"ours": [], "spine": []}

    def of(case: str, method: str) -> _Answers:
        return answers.setdefault((case, method), _Answers())

    with tempfile.TemporaryDirectory() as folder:
        for k, seed in enumerate(seeds):
            progress("tables", k, len(seeds), f"seed {seed}")
            table = make_table(Path(folder), seed, count)
            foreign = random_views(seeds[(k + 1) % len(seeds)] if len(seeds) > 1 else seed + 1, count)
            locator = _timed(prepared["ours"], lambda table=table: Locator(table.field, InversionConfig()))
            for case in refused:
                for frame in table.queries:
                    _ask(of(case, "ours"), locator, frame, case)
                refused[case] += [not _asked(locator, frame, case).converged for frame in foreign]
            _peers(of, prepared["spine"], table, "rgb")
        progress("tables", len(seeds), len(seeds))
        kitchen = os.environ.get("ROBODISTILL_REDKITCHEN")
        if kitchen:
            _kitchen(of, read_kitchen(Path(kitchen), Path(folder), progress), quick, progress)
        else:
            log.warning("redkitchen is left out: ROBODISTILL_REDKITCHEN does not say where it is")
    rows = [row for (case, method), it in answers.items() for row in it.rows(case, method)]
    rows += [Row(case, "ours", "foreign_refused", float(np.mean(r)), "", len(r)) for case, r in refused.items()]
    rows += [Row("rgb", m, "prepare_s", float(np.median(s)), "s", len(s)) for m, s in prepared.items()]
    return BenchResult(rows)


def _timed(seconds: list[float], make: Callable[[], object]) -> object:
    start = time.perf_counter()
    made = make()
    seconds.append(time.perf_counter() - start)
    return made


def _asked(locator: Locator, frame: Frame, case: str) -> PoseEstimate:
    return locator.locate(replace(frame, T_world_camera=None, depth=None if case.endswith("rgb") else frame.depth))


def _ask(answers: _Answers, locator: Locator, frame: Frame, case: str) -> None:
    found = _asked(locator, frame, case)
    answers.add(found.T_world_camera, frame.T_world_camera, found.seconds, found.converged)


def _peers(of: Callable[[str, str], _Answers], prepared: list[float], table: Located, case: str) -> None:
    """The other methods on a table; they use colour only, as theirs do."""
    network = _timed(prepared, lambda: PoseNetwork(table.field, max(table.queries[0].rgb.shape[:2])))
    for frame in table.queries:
        start = time.perf_counter()
        guess = network.propose(frame)[0].T_world_camera
        coarse = time.perf_counter()
        T = one_shot(draw(table.field, ViewPose(frame.camera, guess)), frame)
        of(case, "spine").add(T, frame.T_world_camera, time.perf_counter() - start)
        of(case, "spine_coarse").add(guess, frame.T_world_camera, coarse - start)
        nearest = min(table.frames, key=lambda f: _apart(f.T_world_camera, frame.T_world_camera))
        view = ViewPose(nearest.camera, nearest.T_world_camera)
        picture = Picture(view, nearest.rgb, nearest.depth, np.zeros_like(nearest.rgb, np.float32))
        start = time.perf_counter()
        T = one_shot(picture, frame)
        of(case, "nearest_sift").add(T, frame.T_world_camera, time.perf_counter() - start)


def _apart(T_a: np.ndarray, T_b: np.ndarray) -> float:
    """Distance between two poses, a metre counting as a radian."""
    return sum(pose_error(T_a, T_b))


def _kitchen(of: Callable[[str, str], _Answers], kitchen: Located, quick: bool, progress: Progress) -> None:
    queries = kitchen.queries[:: 4 if quick else 1]
    locator = Locator(kitchen.field, InversionConfig(), progress=progress)
    for case in ("redkitchen", "redkitchen_rgb"):
        for k, frame in enumerate(queries):
            progress(case, k, len(queries))
            _ask(of(case, "ours"), locator, frame, case)
    _peers(of, [], replace(kitchen, queries=queries), "redkitchen_rgb")
