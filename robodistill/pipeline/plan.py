"""The verb `plan` on files: a motion and the field that it is of; a plan for two arms."""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from robodistill.capture.write import write_whole
from robodistill.errors import BadInput
from robodistill.field.gaussians import GaussianField
from robodistill.grasp.surface import field_surface
from robodistill.pipeline.rehearse_twin import twin_check
from robodistill.planning.trajectory import BimanualTrajectory
from robodistill.planning.ways import plan_demonstration
from robodistill.planning.workpiece import Workpiece
from robodistill.progress import Progress, silent
from robodistill.robots.robot import load_robot
from robodistill.tracking.motion import PartMotion


@dataclass(frozen=True)
class PlanOptions:
    """What `plan` can be told beside its files."""

    robot: str = "yumi"
    place: tuple[float, float, float] = (0.0, 0.0, 0.0)
    """Where the object's middle stands on the robot's table when the motion begins: x, y in metres, yaw in rad."""
    pose: Path | None = None
    """JSON with `T_world_object` (4, 4), the field's coordinates to the robot's world, instead of `place`."""
    ros: Path | None = None
    """JSON to write the plan to as a ROS JointTrajectory."""
    rehearse: bool = True
    """Run plans in physics on a twin of the parts, and take the first that succeeds; where MuJoCo is installed."""
    overwrite: bool = False


def plan_motion(
    motion_path: Path, field_path: Path, out: Path, options: PlanOptions | None = None, progress: Progress = silent
) -> BimanualTrajectory:
    """Plan how two arms repeat a motion, and write it.

    Raises:
        BadInput: A file is not there or not what it should be, or `out` exists.
        HonestNo: There is no plan; `answer` has the stage, the reason and how far it came.
        MissingPart: A library of the extra `robot` is not installed.
    """
    options = options or PlanOptions()
    for file in (out, options.ros):
        if file is not None and Path(file).exists() and not options.overwrite:
            raise BadInput(f"{file} exists; give another name or --overwrite")
    motion, workpiece, plane = load_workpiece(motion_path, field_path)
    robot = load_robot(options.robot)
    pose = placed(workpiece.points, plane, *options.place) if options.pose is None else read_pose(options.pose)
    check = twin_check(workpiece, plane) if options.rehearse else None
    found = plan_demonstration(robot, options.robot, motion, pose, workpiece, progress=progress, rehearsed=check)
    found.save(out, options.overwrite)
    if options.ros is not None:
        write_whole(Path(options.ros), json.dumps(found.ros()).encode())
    return found


def load_workpiece(motion_path: Path, field_path: Path) -> tuple[PartMotion, Workpiece, np.ndarray]:
    """A motion, the surfaces of its parts in the field that it is of, and the plane (4,) that they were scanned on.

    Raises:
        BadInput: A file is not there or not what it should be, or they do not go together.
    """
    motion, field = PartMotion.load(motion_path), GaussianField.load(field_path)
    if len(motion.labels) != len(field.means):
        raise BadInput(
            f"{motion_path} is of a field of {len(motion.labels)} Gaussians; {field_path} has {len(field.means)}"
        )
    surface = field_surface(field)
    workpiece = Workpiece.of_surface(surface, motion.labels)
    for k, name in enumerate(motion.parts):
        if not (workpiece.owners == k).any():
            raise BadInput(f"part {name} of {motion_path} has no surface in {field_path}")
    return motion, workpiece, surface.plane


def placed(points: np.ndarray, plane: np.ndarray, x: float, y: float, yaw: float) -> np.ndarray:
    """(4, 4) that puts points (n, 3), upright on their support plane (4,), with their middle at x, y on z = 0."""
    up = plane[:3]
    side = np.eye(3)[int(np.abs(up[:2]).argmin())]
    side = side - (side @ up) * up
    side /= np.linalg.norm(side)
    level = np.stack([side, np.cross(up, side), up])
    c, s = np.cos(yaw), np.sin(yaw)
    T = np.eye(4)
    T[:3, :3] = np.array([[c, -s, 0], [s, c, 0], [0, 0, 1.0]]) @ level
    turned = points @ T[:3, :3].T
    middle = (turned[:, :2].min(0) + turned[:, :2].max(0)) / 2
    T[:3, 3] = x - middle[0], y - middle[1], plane[3]
    return T


def read_pose(path: Path) -> np.ndarray:
    """`T_world_object` (4, 4) of a JSON file.

    Raises:
        BadInput: Not there, or no rigid pose.
    """
    try:
        T = np.array(json.loads(Path(path).read_text())["T_world_object"], float)
    except (OSError, UnicodeDecodeError, ValueError, KeyError, TypeError) as error:
        raise BadInput(f"{path}: T_world_object, 4 rows of 4 numbers, is needed; {error!r}") from None
    rigid = T.shape == (4, 4) and np.isfinite(T).all() and np.allclose(T[3], [0, 0, 0, 1])
    if not rigid or not np.allclose(T[:3, :3] @ T[:3, :3].T, np.eye(3), atol=1e-3) or np.linalg.det(T[:3, :3]) < 0:
        raise BadInput(f"{path}: T_world_object is not a rigid pose")
    return T
