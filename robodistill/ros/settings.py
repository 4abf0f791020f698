"""Parameters of the nodes: their defaults live here; config/*.yaml hold the same for launch files (a test compares)."""

import ast
import dataclasses
import functools
import inspect
import textwrap
from dataclasses import dataclass


@dataclass(frozen=True)
class FieldNodeSettings:
    """field_node."""

    world_frame: str = "map"
    """Coordinate frame of the field."""
    pose_source: str = "tf"
    """tf: world_frame to the camera's frame; topic: PoseStamped of the camera on `pose`."""
    slop: float = 0.03
    """Largest difference of stamps of colour, depth and calibration, seconds."""
    max_age: float = 5.0
    """Older frames are not taken, seconds; 0 takes all."""
    pose_wait: float = 0.2
    """How long a frame waits for its pose, seconds."""
    reliable: bool = False
    """Ask for reliable images; cameras that send best effort are then not heard."""
    least_motion: float = 0.03
    """A frame is kept when the camera has moved so far since the last kept one, metres."""
    least_turn: float = 5.0
    """Or turned, degrees."""
    max_frames: int = 200
    """Frames kept; the oldest go."""
    output: str = "live.field"
    """Where a field is written when a request names no other place."""
    overwrite: bool = True
    """Replace a field of that name."""
    steps: int = 300
    """Of the fit."""
    gaussians: int = 60000
    """About how many to begin with."""
    max_side: int = 640
    """Frames are reduced to so many pixels."""
    hold_out: int = 10
    """Every n-th frame is kept for the PSNR."""
    teacher: str = "auto"
    """What the features are of."""
    features: str = "uplift"
    """How features come into the field: uplift, distill, contrastive or none."""


@dataclass(frozen=True)
class QueryNodeSettings:
    """query_node."""

    field: str = ""
    """Field folder that is loaded at the start; empty: each request names its own."""
    world_frame: str = "map"
    """Coordinate frame of the answers."""
    teacher: str = ""
    """Which features to ask, where a field has several."""


@dataclass(frozen=True)
class GraspNodeSettings:
    """grasp_node."""

    field: str = ""
    """Field folder that is loaded at the start; empty: each request names its own."""
    world_frame: str = "map"
    """Coordinate frame of the answers, and of the robot's base as its file places it."""
    teacher: str = ""
    """Which features to ask, where a field has several."""
    robot: str = "yumi"
    """Name of a file in config/robots, or the path of such a file."""
    max_grasps: int = 10
    """Answered at most; 0: all."""


@dataclass(frozen=True)
class InversionNodeSettings:
    """inversion_node."""

    field: str = ""
    """Field folder."""
    world_frame: str = "map"
    """Coordinate frame of the field."""
    rate: float = 0.0
    """How often a second the newest image is located by itself; 0: only when asked."""
    publish_tf: bool = True
    """Tell the camera's frame, below world_frame, after each confirmed answer."""
    use_depth: bool = True
    """Wait for depth images too."""
    slop: float = 0.03
    """Largest difference of stamps, seconds."""
    coarse: str = "auto"
    """Where hypotheses come from."""


@dataclass(frozen=True)
class CameraNodeSettings:
    """camera_node: a recorded or simulated capture as a live camera."""

    capture: str = ""
    """Folder or bag."""
    rate: float = 10.0
    """Frames a second."""
    loop: bool = False
    """Begin again at the end."""
    wait: bool = True
    """Begin only when somebody listens to the images."""
    world_frame: str = "map"
    """Coordinate frame of the poses."""
    frame_id: str = "camera_optical_frame"
    """Coordinate frame of the images."""


@dataclass(frozen=True)
class TrackingNodeSettings:
    """tracking_node."""

    field: str = ""
    """Folder of the scanned object's field, where a goal names none."""
    output: str = "motion.json"
    """Where the motion is written when a goal names no other place."""
    overwrite: bool = True
    """Replace a motion of that name."""
    longest: int = 480
    """Frames are reduced to so many pixels."""
    every: int = 1
    """Take every n-th frame of a film."""
    max_frames: int = 1800
    """Recorded from the topic at most."""
    slop: float = 0.03
    """Largest difference of stamps of an image and its calibration, seconds."""


@dataclass(frozen=True)
class BimanualNodeSettings:
    """bimanual_node."""

    motion: str = ""
    """What tracking wrote, where a request names none."""
    field: str = ""
    """Folder of the scanned object's field, where a request names none."""
    robot: str = "yumi"
    """Name of a file in config/robots, or the path of such a file."""
    world_frame: str = "world"
    """Coordinate frame of the robot's world; an object's pose in another one is brought there by tf."""
    pose_wait: float = 1.0
    """How long a request waits for that transform, seconds."""
    x: float = 0.0
    """Where the object's middle stands on the robot's table, where a request has no pose, metres."""
    y: float = 0.0
    """The same."""
    yaw: float = 0.0
    """And how it is turned, rad."""
    output: str = "plan.json"
    """Where a plan is written when a request names no other place."""
    replay_output: str = "replay"
    """Folder of a whole replay when a goal names no other."""
    overwrite: bool = True
    """Replace what has those names."""
    start_tolerance: float = 0.1
    """A plan is sent only where joint_states are no further from its start, rad; 0 sends without looking."""


@dataclass(frozen=True)
class ZedNodeSettings:
    """zed_node: a ZED camera through Stereolabs' SDK."""

    source: str = ""
    """Empty: the first camera; a serial number; an .svo or .svo2 file; or HOST:PORT of a stream."""
    resolution: str = "HD720"
    """As sl.RESOLUTION."""
    fps: int = 30
    """Frames a second."""
    depth_mode: str = "NEURAL"
    """As sl.DEPTH_MODE."""
    min_depth: float = 0.2
    """Metres."""
    max_depth: float = 5.0
    """Metres."""
    tracking: bool = True
    """Track the camera's pose, and tell it."""
    world_frame: str = "map"
    """Coordinate frame of the poses."""
    frame_id: str = "zed_left_camera_optical_frame"
    """Coordinate frame of the images."""


@functools.cache
def descriptions(kind: type) -> dict[str, str]:
    """What stands below each field of a settings class."""
    body = ast.parse(textwrap.dedent(inspect.getsource(kind))).body[0].body
    found = {}
    for field, text in zip(body, body[1:], strict=False):
        if isinstance(field, ast.AnnAssign) and isinstance(text, ast.Expr) and isinstance(text.value, ast.Constant):
            found[field.target.id] = " ".join(str(text.value.value).split())
    return found


def as_parameters(kind: type) -> dict[str, dict[str, dict]]:
    """The defaults in the form of a ROS parameter file, for a node of any name."""
    values = {field.name: field.default for field in dataclasses.fields(kind)}
    return {"/**": {"ros__parameters": values}}
