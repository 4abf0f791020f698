"""A video whose frames are asked for by number, reduced and kept in memory as JPEG; and films written of pages."""

from collections.abc import Iterable
from pathlib import Path

import cv2
import numpy as np

from robodistill.capture.video import load_av
from robodistill.errors import BadInput

_SIDE = 400  # pixels
_MOST = 3000  # frames


class Video:
    """Frames of a film."""

    def __init__(self, path: Path) -> None:
        """Read.

        Raises:
            BadInput: Not a video that OpenCV decodes.
        """
        reader = cv2.VideoCapture(str(path))
        self.rate = reader.get(cv2.CAP_PROP_FPS) or 30.0
        """Frames a second."""
        self._frames: list[np.ndarray] = []
        while len(self._frames) < _MOST:
            there, frame = reader.read()
            if not there:
                break
            shrink = min(1.0, _SIDE / max(frame.shape[:2]))
            small = cv2.resize(frame, None, fx=shrink, fy=shrink, interpolation=cv2.INTER_AREA)
            self._frames.append(cv2.imencode(".jpg", small)[1])
        reader.release()
        if not self._frames:
            raise BadInput(f"{path} is no video that can be decoded: it has no frame")

    def __len__(self) -> int:
        return len(self._frames)

    @property
    def duration(self) -> float:
        """Seconds from the first frame to the last."""
        return (len(self) - 1) / self.rate

    def __getitem__(self, number: int) -> np.ndarray:
        """(H, W, 3) uint8 RGB; numbers beyond the end are the last."""
        data = self._frames[min(max(number, 0), len(self) - 1)]
        return cv2.imdecode(data, cv2.IMREAD_COLOR)[..., ::-1]

    def at(self, seconds: float) -> np.ndarray:
        """The frame at a time."""
        return self[round(seconds * self.rate)]


def film(frames: Iterable[np.ndarray], rate: int) -> bytes:
    """An MP4 (H.264) of (H, W, 3) uint8 RGB frames of one size; odd last rows and columns are cut off.

    Raises:
        MissingPart: PyAV is not installed.
    """
    import io

    av = load_av()
    data = io.BytesIO()
    with av.open(data, "w", format="mp4") as container:
        stream = None
        for frame in frames:
            height, width = (size // 2 * 2 for size in frame.shape[:2])
            if stream is None:
                stream = container.add_stream("h264", rate=rate, options={"crf": "20", "preset": "veryfast"})
                stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
            picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(frame[:height, :width]), format="rgb24")
            container.mux(stream.encode(picture))
        if stream is None:
            raise BadInput("a film needs a frame at least")
        container.mux(stream.encode())
    return data.getvalue()
