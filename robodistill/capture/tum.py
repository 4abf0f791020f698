"""The TUM RGB-D form: `rgb.txt`, `depth.txt`, `groundtruth.txt` with stamps, depth 16-bit in 1/5000 m.

Sturm, Engelhard, Endres, Burgard, Cremers, "A Benchmark for the Evaluation of RGB-D SLAM Systems", IROS 2012. Colour
and depth are matched to the nearest stamp; the pose, which is recorded several times as often, is interpolated at the
colour stamp. The form has no file for intrinsics: they are given, or read from `intrinsics.json` (`fx fy cx cy`), or
they are the benchmark's ROS default (525, 319.5, 239.5), which is logged. Depth is registered to colour in this form.
"""

import logging
import math
from pathlib import Path

import numpy as np

from robodistill.capture.decode import read_depth, read_rgb
from robodistill.capture.frame import Capture, Frame
from robodistill.capture.pose import as_numbers, from_quaternion
from robodistill.capture.read import inside, read_json, read_lines
from robodistill.capture.stamps import PoseTrack, associate
from robodistill.errors import BadMetadata, BadPose, EmptyCapture, MissingImage, WrongSize
from robodistill.geometry.camera import Camera

log = logging.getLogger(__name__)

DEPTH_UNIT = 1 / 5000
DEFAULT_INTRINSICS = (525.0, 525.0, 319.5, 239.5)


class TumCapture(Capture):
    """A folder with `rgb.txt`, `depth.txt` and `groundtruth.txt`. Only the lists are read on opening."""

    def __init__(
        self,
        path: Path,
        intrinsics: tuple[float, float, float, float] | None = None,
        depth_unit: float = DEPTH_UNIT,
        tolerance: float = 0.02,
    ):
        """Open.

        Args:
            intrinsics: fx, fy, cx, cy in pixels, of both images.
            depth_unit: Metres per count.
            tolerance: Largest difference of stamps that belong together, seconds.

        Raises:
            BadMetadata: A list is missing or has a line that cannot be parsed.
            EmptyCapture: No colour image is listed.
        """
        self._root, self.name = Path(path), str(path)
        self._unit, self._tolerance = depth_unit, tolerance
        self._rgb = self._read_list("rgb.txt")
        if not self._rgb:
            raise EmptyCapture(f"{self._root / 'rgb.txt'} lists no image")
        self._depth = self._read_list("depth.txt")
        stamps = (np.array([stamp for stamp, _ in rows]) for rows in (self._rgb, self._depth))
        self._partner = associate(*stamps, tolerance)
        self._track = self._read_track()
        self._intrinsics = self._find_intrinsics(intrinsics)
        Camera.from_focal(*self._intrinsics, 640, 480)  # a fault of all frames is told now

    def __len__(self) -> int:
        return len(self._rgb)

    def __getitem__(self, index: int) -> Frame:
        stamp, name = self._rgb[index]
        if name in (earlier for _, earlier in self._rgb[: index % len(self)]):
            raise BadMetadata(f"{self.name}: rgb.txt names {name!r} twice; kept once")
        if self._partner[index] < 0:
            raise MissingImage(f"{self.name}: no depth within {self._tolerance:g} s of {name!r} at {stamp:.6f} s")
        T_world_camera = self._track.at(stamp, self._tolerance)
        rgb = read_rgb(inside(self._root, name))
        depth = read_depth(inside(self._root, self._depth[self._partner[index]][1]), self._unit)
        if depth.shape != rgb.shape[:2]:
            raise WrongSize(f"{self.name}: {name!r} is {rgb.shape[:2]} but its depth is {depth.shape}")
        camera = Camera.from_focal(*self._intrinsics, rgb.shape[1], rgb.shape[0])
        return Frame(rgb, depth, camera, T_world_camera, Path(name).stem, stamp)

    def _read_list(self, name: str) -> list[tuple[float, str]]:
        """(stamp, file) sorted by stamp."""
        rows = []
        for number, line in read_lines(self._root / name):
            fields = line.split(maxsplit=1)
            stamp = as_stamp(fields[0], f"{self._root / name}, line {number}")
            if len(fields) != 2:
                raise BadMetadata(f"{self._root / name}, line {number}: 'stamp file' is needed, got {line!r}")
            rows.append((stamp, fields[1]))
        return sorted(rows)

    def _read_track(self) -> PoseTrack:
        """Poses of `groundtruth.txt`; broken ones are left out and counted."""
        path, stamps, Ts, dropped, last = self._root / "groundtruth.txt", [], [], 0, None
        for number, line in read_lines(path):
            where = f"{path}, line {number}"
            row = as_numbers(line.split(), (8,), where)
            stamp = as_stamp(row[0], where)
            try:
                Ts.append(from_quaternion(row[1:4], row[4:], where))
                stamps.append(stamp)
            except BadPose as error:
                dropped, last = dropped + 1, error
        if dropped:
            log.warning("%s: dropped %d broken pose(s); the last one: %s", path, dropped, last)
        if not Ts:
            raise EmptyCapture(f"{path} holds no usable pose{f'; the last one: {last}' if last else ''}")
        return PoseTrack(np.array(stamps), np.stack(Ts))

    def _find_intrinsics(self, given: tuple[float, float, float, float] | None) -> tuple[float, ...]:
        path = self._root / "intrinsics.json"
        if given is not None:
            return tuple(as_numbers(given, (4,), "intrinsics (fx, fy, cx, cy)"))
        if path.exists():
            content = read_json(path)
            if missing := [key for key in ("fx", "fy", "cx", "cy") if key not in content]:
                raise BadMetadata(f"{path} lacks {missing}; fx, fy, cx, cy in pixels are needed")
            return tuple(as_numbers([content[key] for key in ("fx", "fy", "cx", "cy")], (4,), str(path)))
        log.warning("%s: no intrinsics given, taking the TUM default fx fy cx cy = %s", self.name, DEFAULT_INTRINSICS)
        return DEFAULT_INTRINSICS


def as_stamp(value: object, where: str) -> float:
    """Seconds.

    Raises:
        BadMetadata: Not a finite number.
    """
    try:
        stamp = float(value)
    except (TypeError, ValueError):
        stamp = math.nan
    if not math.isfinite(stamp):
        raise BadMetadata(f"{where}: the stamp must be a finite number of seconds, got {value!r}")
    return stamp
