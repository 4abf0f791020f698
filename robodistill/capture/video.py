"""Films in and out, through PyAV."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from types import ModuleType

import numpy as np

from robodistill.errors import BadInput, MissingPart


@dataclass(frozen=True, eq=False)
class Video:
    """A film in memory."""

    frames: list[np.ndarray]
    """(H, W, 3) uint8 each."""
    times: np.ndarray
    """(T,) seconds."""


def read_video(path: Path, every: int = 1, longest: int | None = None) -> Video:
    """All frames, or every n-th.

    Args:
        longest: Reduce frames whose longer side has more pixels than this.

    Raises:
        BadInput: Not there, no film, or without a frame.
        MissingPart: PyAV is not installed.
    """
    import cv2

    av = load_av()
    if every < 1:
        raise BadInput(f"every {every}: at least 1 is needed")
    frames, times = [], []
    try:
        with av.open(str(path)) as file:
            stream = next((s for s in file.streams if s.type == "video"), None)
            if stream is None:
                raise BadInput(f"{path} holds no film")
            rate = float(stream.average_rate or 30)
            for k, frame in enumerate(file.decode(stream)):
                if k % every:
                    continue
                rgb = frame.to_ndarray(format="rgb24")
                if longest and max(rgb.shape[:2]) > longest:
                    scale = longest / max(rgb.shape[:2])
                    size = (round(rgb.shape[1] * scale), round(rgb.shape[0] * scale))
                    rgb = cv2.resize(rgb, size, interpolation=cv2.INTER_AREA)
                frames.append(rgb)
                times.append(float(frame.time) if frame.time is not None else k / rate)
    except (OSError, av.error.FFmpegError) as error:
        raise BadInput(f"{path} cannot be read as a film: {error}") from None
    if not frames:
        raise BadInput(f"{path} holds no frame")
    return Video(frames, np.array(times))


def load_av() -> ModuleType:
    """PyAV.

    Raises:
        MissingPart: It is not installed.
    """
    try:
        import av
    except ImportError as error:
        raise MissingPart(f"films are read and written with PyAV: pip install av; {error}") from None
    return av


def write_video(path: Path, frames: Sequence[np.ndarray], fps: int = 30, quality: int = 18) -> None:
    """Write (H, W, 3) uint8 frames as MP4; the same frames give the same bytes.

    One thread, and no macroblock tree: with either x264's bytes differ from call to call.

    Args:
        quality: x264's constant rate factor; 18 is hardly seen, 28 is a messenger's.

    Raises:
        BadInput: A side is odd, which H.264's colour planes do not hold.
        MissingPart: PyAV is not installed.
    """
    av, path = load_av(), Path(path)
    height, width = frames[0].shape[:2]
    if width % 2 or height % 2:
        raise BadInput(f"a film of {width}x{height} pixels was asked for; both must be even")
    partial = path.with_name(f".{path.name}.partial")
    try:
        with av.open(str(partial), "w", format="mp4") as file:
            stream = file.add_stream("libx264", rate=Fraction(fps))
            stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
            stream.options = {"crf": str(quality), "preset": "fast", "threads": "1", "x264-params": "no-mbtree=1"}
            for rgb in frames:
                file.mux(stream.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(rgb), format="rgb24")))
            file.mux(stream.encode())
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)
