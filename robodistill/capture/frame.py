"""`Frame`, the one input type of the package, and `Capture`, a lazy sequence of them."""

import logging
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from robodistill.errors import BadDepth, CaptureError, EmptyCapture, WrongSize
from robodistill.geometry.camera import Camera

log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Frame:
    """One RGB-D image with its camera; colour and depth share size and `camera`."""

    rgb: np.ndarray
    """(H, W, 3) uint8."""
    depth: np.ndarray | None
    """(H, W) float32 along the optical axis, metres, 0 = no measurement; None where there is no depth."""
    camera: Camera
    T_world_camera: np.ndarray | None
    """(4, 4) float64, OpenCV camera axes; None where the pose is not known."""
    name: str = ""
    """What the recording calls this frame."""
    stamp: float | None = None
    """Seconds."""

    def __post_init__(self) -> None:
        size = (self.camera.height, self.camera.width)
        if self.rgb.dtype != np.uint8 or self.rgb.shape != (*size, 3):
            raise WrongSize(
                f"frame {self.name!r}: colour must be uint8 {(*size, 3)}, got {self.rgb.dtype} {self.rgb.shape}"
            )
        if self.depth is not None:
            if self.depth.shape != size:
                raise WrongSize(f"frame {self.name!r}: depth must be {size}, got {self.depth.shape}")
            if self.depth.dtype != np.float32 or not np.isfinite(self.depth).all() or (self.depth < 0).any():
                raise BadDepth(f"frame {self.name!r}: depth must be finite float32 metres >= 0, 0 = no measurement")

    @property
    def valid(self) -> np.ndarray:
        """(H, W) bool: where depth was measured."""
        return np.zeros(self.rgb.shape[:2], bool) if self.depth is None else self.depth > 0


class Capture(ABC):
    """A sequence of frames that are read when asked for. Metadata (poses, file names) is checked on opening."""

    name: str
    """Path or topic, for messages."""

    @abstractmethod
    def __len__(self) -> int: ...

    @abstractmethod
    def __getitem__(self, index: int) -> Frame:
        """Read one frame.

        Raises:
            CaptureError: The frame is broken; which subclass says how.
        """

    def frames(self, indices: Iterable[int] | None = None) -> Iterator[Frame]:
        """Read frames in order; broken ones are dropped and counted in one warning at the end.

        Raises:
            EmptyCapture: No frame was usable.
        """
        dropped: Counter[str] = Counter()
        last: CaptureError | None = None
        good = 0
        for index in range(len(self)) if indices is None else indices:
            try:
                frame = self[index]
            except CaptureError as error:
                dropped[type(error).__name__] += 1
                last = error
                continue
            good += 1
            yield frame
        if not good:
            reason = f"; the last one: {last}" if last else ""
            raise EmptyCapture(f"{self.name}: no usable frame{reason}")
        warn_dropped(self.name, dropped, last)


def warn_dropped(name: str, dropped: Counter[str], last: Exception | None) -> None:
    """Log one warning that counts the dropped frames by reason."""
    if dropped:
        counts = ", ".join(f"{count} {reason}" for reason, count in dropped.most_common())
        log.warning("%s: dropped %d broken frame(s): %s; the last one: %s", name, dropped.total(), counts, last)
