"""A stand-in for `pyzed.sl`, as the SDK's wrapper 5.4 describes itself: what ZedSource calls, and no more."""

import enum
from types import SimpleNamespace

import numpy as np

RESOLUTION = enum.Enum("RESOLUTION", "HD2K HD1080 HD720 VGA AUTO LAST")
DEPTH_MODE = enum.Enum("DEPTH_MODE", "NONE PERFORMANCE QUALITY ULTRA NEURAL_LIGHT NEURAL NEURAL_PLUS LAST")
UNIT = enum.Enum("UNIT", "MILLIMETER CENTIMETER METER INCH FOOT LAST")
COORDINATE_SYSTEM = enum.Enum("COORDINATE_SYSTEM", "IMAGE LEFT_HANDED_Y_UP RIGHT_HANDED_Y_UP RIGHT_HANDED_Z_UP LAST")
ERROR_CODE = enum.Enum("ERROR_CODE", "SUCCESS FAILURE CAMERA_NOT_DETECTED END_OF_SVOFILE_REACHED CORRUPTED_FRAME")
VIEW = enum.Enum("VIEW", "LEFT RIGHT")
MEASURE = enum.Enum("MEASURE", "DEPTH XYZRGBA CONFIDENCE")
REFERENCE_FRAME = enum.Enum("REFERENCE_FRAME", "WORLD CAMERA")
POSITIONAL_TRACKING_STATE = enum.Enum("POSITIONAL_TRACKING_STATE", "SEARCHING OK OFF")
TIME_REFERENCE = enum.Enum("TIME_REFERENCE", "IMAGE CURRENT")
WIDTH, HEIGHT = 64, 36
opened: list["Camera"] = []
broken_at: set[int] = set()


class InitParameters:
    def __init__(self):
        self.source = ("live", None)
        self.svo_real_time_mode = True

    def set_from_serial_number(self, number):
        self.source = ("serial", number)

    def set_from_svo_file(self, path):
        self.source = ("svo", path)

    def set_from_stream(self, host, port):
        self.source = ("stream", (host, port))


class RuntimeParameters:
    pass


class PositionalTrackingParameters:
    pass


class Mat:
    data = None

    def get_data(self):
        return self.data  # a view: the camera writes into it again


class Pose:
    matrix = np.eye(4)

    def pose_data(self):
        return SimpleNamespace(m=self.matrix)


class Camera:
    def __init__(self):
        self.frame, self.tracked, self.is_open = -1, False, False
        self.color = np.zeros((HEIGHT, WIDTH, 4), np.uint8)
        self.depth = np.zeros((HEIGHT, WIDTH), np.float32)

    def open(self, parameters):
        self.parameters, self.is_open = parameters, True
        opened.append(self)
        missing = parameters.source == ("serial", 404)
        return ERROR_CODE.CAMERA_NOT_DETECTED if missing else ERROR_CODE.SUCCESS

    def close(self):
        self.is_open = False

    def enable_positional_tracking(self, parameters):
        self.tracked = True
        return ERROR_CODE.SUCCESS

    def disable_positional_tracking(self):
        self.tracked = False

    def get_camera_information(self):
        left = SimpleNamespace(fx=50.0, fy=51.0, cx=31.5, cy=17.5)
        configuration = SimpleNamespace(
            resolution=SimpleNamespace(width=WIDTH, height=HEIGHT),
            fps=30,
            calibration_parameters=SimpleNamespace(left_cam=left),
        )
        return SimpleNamespace(camera_configuration=configuration)

    def get_svo_number_of_frames(self):
        return 4 if self.parameters.source[0] == "svo" else -1

    def grab(self, runtime):
        self.frame += 1
        if self.parameters.source[0] == "svo" and self.frame >= 4:
            return ERROR_CODE.END_OF_SVOFILE_REACHED
        if self.frame in broken_at:
            return ERROR_CODE.CORRUPTED_FRAME
        self.color[:] = (10, 20, 30 + self.frame, 255)  # BGRA
        self.depth[:] = 1.0 + self.frame
        self.depth[0, :3] = (np.nan, np.inf, -np.inf)
        return ERROR_CODE.SUCCESS

    def retrieve_image(self, mat, view):
        mat.data = self.color
        return ERROR_CODE.SUCCESS

    def retrieve_measure(self, mat, measure):
        mat.data = self.depth
        return ERROR_CODE.SUCCESS

    def get_timestamp(self, reference):
        return SimpleNamespace(get_nanoseconds=lambda: 1_700_000_000_000_000_000 + self.frame * 33_000_000)

    def get_position(self, pose, frame):
        pose.matrix = np.eye(4)
        pose.matrix[0, 3] = 0.1 * self.frame
        return POSITIONAL_TRACKING_STATE.OK if self.frame else POSITIONAL_TRACKING_STATE.SEARCHING
