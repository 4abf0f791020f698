"""ZED cameras through Stereolabs' SDK: live, from SVO files, or streamed; with depth, intrinsics and tracked poses.

The genuine `pyzed` comes with the SDK (its script get_python_api.py), never from a package index: the package of that
name there is an unrelated program. Written from the SDK's published interface (5.x); tested against a stand-in.
"""

import importlib
import importlib.metadata
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from robodistill.capture.frame import Frame
from robodistill.errors import BadInput, CaptureError, MissingPart
from robodistill.geometry.camera import Camera

_STREAM_PORT = 30000
_GENUINE_SINCE = 3
"""The SDK's wheels carry its version; the other package ends at 1."""


class ZedError(CaptureError):
    """The camera, file or stream cannot be opened or read."""


@dataclass(frozen=True)
class ZedOptions:
    """How to open a camera."""

    source: str = ""
    """Empty: the first camera; a serial number; an .svo or .svo2 file; or HOST:PORT of a stream."""
    resolution: str = "HD720"
    """Name in sl.RESOLUTION."""
    fps: int = 30
    depth_mode: str = "NEURAL"
    """Name in sl.DEPTH_MODE."""
    min_depth: float = 0.2
    """Metres."""
    max_depth: float = 5.0
    """Metres."""
    tracking: bool = True
    """Track the camera's pose; its first place is the world's origin."""


def load_sdk() -> Any:
    """The module `pyzed.sl`.

    Raises:
        MissingPart: It is not installed, or another package of that name is.
    """
    try:
        sl = importlib.import_module("pyzed.sl")
        if hasattr(sl, "Camera") and hasattr(sl, "InitParameters"):
            return sl
    except Exception as error:  # the other package runs code of its own; the SDK's fails without its driver
        problem = f"{type(error).__name__}: {error}"
    else:
        problem = "it has neither Camera nor InitParameters"
    how = "install the ZED SDK and run its script get_python_api.py"
    try:
        version = importlib.metadata.version("pyzed")
    except importlib.metadata.PackageNotFoundError:
        raise MissingPart(f"ZED cameras need the SDK's Python module pyzed, which is not installed: {how}") from None
    if version.split(".")[0].isdecimal() and int(version.split(".")[0]) < _GENUINE_SINCE:
        raise MissingPart(
            f"the installed pyzed {version} is another program of that name, not Stereolabs': remove it "
            f"(pip uninstall pyzed), then {how}"
        )
    raise MissingPart(f"pyzed {version} cannot be used ({problem}): {how}")


class ZedSource:
    """Frames of a ZED camera's left eye, rectified, as an iterator. Close it, or use it in a `with`."""

    def __init__(self, options: ZedOptions | None = None, sl: Any = None) -> None:
        """Open.

        Args:
            sl: The SDK's module; None loads it.

        Raises:
            MissingPart: The SDK is not there.
            BadInput: An option is not one of the SDK's.
            ZedError: The camera cannot be opened.
        """
        self._sl = sl or load_sdk()
        options = options or ZedOptions()
        self.name = options.source or "ZED camera"
        parameters = self._parameters(options)
        self._camera = self._sl.Camera()
        self._check(self._camera.open(parameters), "opened")
        self._closed = False
        try:
            self._tracking = options.tracking
            if options.tracking:
                self._check(self._camera.enable_positional_tracking(self._sl.PositionalTrackingParameters()), "tracked")
            self.camera = self._read_camera()
        except BaseException:
            self.close()
            raise
        self._image, self._depth, self._pose = self._sl.Mat(), self._sl.Mat(), self._sl.Pose()
        self.dropped = 0
        """Frames that could not be grabbed."""

    def _parameters(self, options: ZedOptions) -> Any:
        sl, source = self._sl, options.source
        parameters = sl.InitParameters()
        parameters.camera_resolution = self._named(sl.RESOLUTION, "RESOLUTION", options.resolution)
        parameters.depth_mode = self._named(sl.DEPTH_MODE, "DEPTH_MODE", options.depth_mode)
        parameters.camera_fps = options.fps
        parameters.coordinate_units = sl.UNIT.METER
        parameters.coordinate_system = sl.COORDINATE_SYSTEM.IMAGE  # x right, y down, z forward: as OpenCV
        if not 0 < options.min_depth < options.max_depth:
            raise BadInput(f"depth from {options.min_depth:g} to {options.max_depth:g} m: 0 < least < most is needed")
        parameters.depth_minimum_distance = options.min_depth
        parameters.depth_maximum_distance = options.max_depth
        host, colon, port = source.rpartition(":")
        if source.lower().endswith((".svo", ".svo2")):
            parameters.set_from_svo_file(source)
            parameters.svo_real_time_mode = False  # every frame, however long each takes
        elif source.isdecimal():
            parameters.set_from_serial_number(int(source))
        elif colon and port.isdecimal():
            parameters.set_from_stream(host, int(port))
        elif source:
            parameters.set_from_stream(source, _STREAM_PORT)
        return parameters

    @staticmethod
    def _named(kinds: Any, what: str, name: str) -> Any:
        if not hasattr(kinds, name):
            known = ", ".join(kind for kind in dir(kinds) if kind.isupper() and kind != "LAST")
            raise BadInput(f"sl.{what} has no {name!r}; it has {known}")
        return getattr(kinds, name)

    def _check(self, code: Any, what: str) -> None:
        if code != self._sl.ERROR_CODE.SUCCESS:
            raise ZedError(f"{self.name} cannot be {what}: {code}")

    def _read_camera(self) -> Camera:
        found = self._camera.get_camera_information().camera_configuration
        left = found.calibration_parameters.left_cam  # rectified: a pinhole without distortion
        size = int(found.resolution.width), int(found.resolution.height)
        return Camera.from_focal(left.fx, left.fy, left.cx, left.cy, *size)

    def __len__(self) -> int:
        """Frames of an SVO file; -1 for what has no end."""
        return int(self._camera.get_svo_number_of_frames())

    def __iter__(self) -> Iterator[Frame]:
        """Frames until the file's end, or for ever.

        Raises:
            ZedError: The camera is gone.
        """
        sl, runtime, failures = self._sl, self._sl.RuntimeParameters(), 0
        while True:
            code = self._camera.grab(runtime)
            if code == sl.ERROR_CODE.END_OF_SVOFILE_REACHED:
                return
            if code != sl.ERROR_CODE.SUCCESS:
                self.dropped, failures = self.dropped + 1, failures + 1
                if failures >= 30:
                    raise ZedError(f"{self.name}: {failures} frames in a row could not be grabbed: {code}")
                continue
            failures = 0
            yield self._frame()

    def _frame(self) -> Frame:
        sl = self._sl
        self._check(self._camera.retrieve_image(self._image, sl.VIEW.LEFT), "read")
        self._check(self._camera.retrieve_measure(self._depth, sl.MEASURE.DEPTH), "read")
        # get_data() shows the SDK's own memory, which the next grab overwrites: all of it is copied
        rgb = cv2.cvtColor(self._image.get_data(), cv2.COLOR_BGRA2RGB)
        raw = self._depth.get_data()
        depth = np.where(np.isfinite(raw) & (raw > 0), raw, 0).astype(np.float32)
        stamp = self._camera.get_timestamp(sl.TIME_REFERENCE.IMAGE).get_nanoseconds() / 1e9
        return Frame(rgb, depth, self.camera, self._pose_now(), f"{stamp:.6f}", stamp)

    def _pose_now(self) -> np.ndarray | None:
        """None while the SDK does not vouch for it."""
        if not self._tracking:
            return None
        state = self._camera.get_position(self._pose, self._sl.REFERENCE_FRAME.WORLD)
        if state != self._sl.POSITIONAL_TRACKING_STATE.OK:
            return None
        return np.array(self._pose.pose_data().m, np.float64).reshape(4, 4)

    def close(self) -> None:
        """Let go of the camera."""
        if self._closed:
            return
        self._closed = True
        if getattr(self, "_tracking", False):
            self._camera.disable_positional_tracking()
        self._camera.close()

    def __enter__(self) -> "ZedSource":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
