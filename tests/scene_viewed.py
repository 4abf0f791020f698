"""A folder with small results of every stage, as the viewer opens them: field, motion, grasps, a robot's path."""

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import torch
from scene_labelled import CAMERA, labelled_field
from scipy.spatial.transform import Rotation

from robodistill.field.features import Decoder, FeatureLayer
from robodistill.field.gaussians import GaussianField
from robodistill.grasp.grasp import Grasp, GraspList
from robodistill.planning.trajectory import BimanualTrajectory, PartHold
from robodistill.robots.robot import load_robot
from robodistill.robots.trajectory import RobotTrajectory
from robodistill.teachers.registry import load_text_teacher
from robodistill.tracking.motion import Joint, PartMotion

FRAMES = 12
T_WORLD_SCENE = np.array([[1.0, 0, 0, 0.45], [0, 0, 1, -1.7], [0, -1, 0, 0.5], [0, 0, 0, 1]])
"""From the coordinates of a camera that sees the scene to a world in which a robot stands upright."""
REASONS = {"no normal on both sides": 41, "out of reach": 7}


def viewed_field() -> GaussianField:
    """A wall with a red slab (left) that has the features of a "red mug", and a blue one of a "blue bowl"; z is up."""
    made = labelled_field()
    text = load_text_teacher("builtin")
    codes = text.encode_text(["background", "red mug", "blue bowl"])[made.labels]
    layer = FeatureLayer("builtin", "uplift", codes, Decoder((torch.eye(codes.shape[1]),), (None,)))
    turn = Rotation.from_matrix(T_WORLD_SCENE[:3, :3]).as_quat(scalar_first=True)
    return replace(
        made.field,
        means=made.field.means @ torch.from_numpy(T_WORLD_SCENE[:3, :3].T).float()
        + torch.from_numpy(T_WORLD_SCENE[:3, 3]).float(),
        quats_wxyz=torch.from_numpy(turn).float().repeat(len(made.field), 1),
        views=tuple(replace(view, T_world_camera=T_WORLD_SCENE @ view.T_world_camera) for view in made.field.views),
        features={"builtin": layer},
        groups=made.labels[:, None].int(),
    )


def swing(field: GaussianField) -> PartMotion:
    """The red slab turns by 60 degrees about its left edge, against the blue one, which moves away a little."""
    values = np.linspace(0, np.radians(60), FRAMES)
    axis, origin = np.array([0.0, 0.0, -1.0]), (T_WORLD_SCENE @ [-0.55, 0.0, 1.7, 1.0])[:3]
    Ts = np.tile(np.eye(4), (FRAMES, 2, 1, 1))
    for t, angle in enumerate(values):
        R = Rotation.from_rotvec(axis * angle).as_matrix()
        Ts[t, 0, :3, :3], Ts[t, 0, :3, 3] = R, origin - R @ origin
        Ts[t, :, 1, 3] += 0.01 * t
    labels = (field.groups[:, 0] - 1).numpy().astype(np.int32)
    joint = Joint("revolute", 1, 0, axis, origin, 0.0, values, (0.0, float(values[-1])))
    full, held = np.ones((FRAMES, 2)), np.zeros((FRAMES, 2), bool)
    held[3:, 0] = True
    times = np.arange(FRAMES) / 10
    T_world_camera = T_WORLD_SCENE.copy()
    T_world_camera[:3, 3] += [-0.5, 0.6, 0.6]
    Ts_camera_part = np.linalg.inv(T_world_camera) @ Ts
    return PartMotion(("lid", "box"), Ts_camera_part, full, full, held, (joint,), labels, times, CAMERA)


def grasp_list() -> GraspList:
    """Three grasps with the right arm of the YuMi, the second with little clearance."""
    robot = load_robot("yumi")
    arm = robot.arms["right"]
    T = robot.tool_poses("right", arm.home)
    back = np.eye(4)
    back[2, 3] = -0.1
    path = np.tile(arm.home, (3, 1)) + np.linspace(0, 0.2, 3)[:, None]
    grasps = []
    for k, (score, clearance) in enumerate(((0.9, 0.02), (0.6, 0.001), (0.3, 0.015))):
        moved = T.copy()
        moved[0, 3] += 0.06 * k
        steps = {"T_world_pregrasp": moved @ back, "T_world_lift": moved @ back, "approach": path, "reach": path + 0.1}
        grasps.append(Grasp(moved, 0.03, score, 0.045, (0.1, 0.2), clearance, "right", **steps, raise_=path))
    return GraspList("red mug", "yumi", tuple(grasps), REASONS, (0.0, 0.0, 1.0), 0.2)


def robot_path() -> RobotTrajectory:
    """Both arms of the YuMi away from home within two seconds."""
    robot = load_robot("yumi")
    times = np.linspace(0, 2, 9)
    positions = robot.home + np.linspace(0, 0.3, 9)[:, None]
    arms = {name: arm.joints for name, arm in robot.arms.items()}
    return RobotTrajectory("yumi", arms, times, positions, np.zeros_like(positions), np.zeros((9, len(arms))))


def plan_of_swing() -> BimanualTrajectory:
    """The right arm holds the red slab from 0.5 s on while the demonstration is repeated, to 1.5 s."""
    motion = robot_path()
    progress = np.interp(motion.times, [0.5, 1.5], [0.0, 1.1])
    hold = PartHold("right", 0, np.eye(4), 0.03, 0.5, 1.5)
    T_world_object = np.eye(4)
    T_world_object[:3, 3] = 0.3, 0.1, 0.2
    return BimanualTrajectory(motion, (hold,), progress, ("lid", "box"), T_world_object, "stays", {"clearance_mm": 3.0})


def write_video(path: Path) -> None:
    """Frames that grow brighter."""
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"mp4v"), 10, (CAMERA.width, CAMERA.height))
    for t in range(FRAMES):
        writer.write(np.full((CAMERA.height, CAMERA.width, 3), 20 * t, np.uint8))
    writer.release()


def write_results(folder: Path) -> Path:
    """All of them."""
    field = viewed_field()
    field.save(folder / "slabs.field")
    swing(field).save(folder / "motion.json")
    grasp_list().save(folder / "grasps.json")
    robot_path().save(folder / "trajectory.json")
    plan_of_swing().save(folder / "plan.json")
    write_video(folder / "demo.mp4")
    return folder
