"""Small articulated objects made of boxes, their true surfaces and motions, for tests of planning."""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import trimesh
from safetensors.numpy import load_file
from scipy.spatial.transform import Rotation

from robodistill.geometry.camera import Camera
from robodistill.planning.workpiece import Workpiece
from robodistill.sim.articulated.make import draw_object
from robodistill.tracking.motion import Joint, PartMotion

Box = tuple[tuple[float, float, float], tuple[float, float, float]]  # middle and full lengths, metres

LIDDED: tuple[list[Box], list[Box]] = (
    [((0, 0, 0.03), (0.12, 0.09, 0.06))],
    [((0, 0, 0.067), (0.12, 0.09, 0.008)), ((0, -0.065, 0.067), (0.016, 0.04, 0.008))],
)
"""A box, and its lid with a tab in front; the hinge is at the back, along x."""
BARS: tuple[list[Box], list[Box]] = (
    [((-0.075, 0, 0.015), (0.12, 0.024, 0.03))],
    [((0.075, 0, 0.015), (0.12, 0.024, 0.03))],
)
"""Two bars with a vertical hinge between them."""


@dataclass(frozen=True)
class Made:
    """An object and a motion of it."""

    boxes: tuple[list[Box], list[Box]]
    motion: PartMotion
    workpiece: Workpiece


def lidded(opened: float = 0.8, held: tuple[bool, bool] = (False, True)) -> Made:
    """The lid is opened; the box stays."""
    joint = ("revolute", (-1.0, 0, 0), (0.0, 0.045, 0.063))
    return made(LIDDED, joint, opened, held, rise=0.0)


def bars(opened: float = 0.6, rise: float = 0.08) -> Made:
    """Both bars are lifted and folded."""
    return made(BARS, ("revolute", (0, 0, 1.0), (0.0, 0, 0.015)), opened, (True, True), rise)


def made(
    boxes: tuple[list[Box], list[Box]], joint: tuple, opened: float, held: tuple[bool, bool], rise: float,
    frames: int = 60,
) -> Made:  # fmt: skip
    """An object whose second part goes to a value of its joint while the whole rises, in 3 s."""
    kind, axis, origin = joint
    axis, origin = np.array(axis, float), np.array(origin, float)
    share = np.clip((np.arange(frames) - 5) / (frames - 10), 0, 1)
    share = share**2 * (3 - 2 * share)
    values = opened * share
    Ts = np.tile(np.eye(4), (frames, 2, 1, 1))
    if kind == "prismatic":
        Ts[:, 1, :3, 3] = values[:, None] * axis
    else:
        R = Rotation.from_rotvec(values[:, None] * axis).as_matrix()
        Ts[:, 1, :3, :3], Ts[:, 1, :3, 3] = R, origin - R @ origin
    Ts[:, :, 2, 3] += rise * share[:, None]
    camera = np.eye(4)
    camera[:3, :3] = Rotation.from_euler("xyz", [-2.0, 0.1, 0.4]).as_matrix()
    camera[:3, 3] = 0.1, 0.05, 0.8
    span = (float(values.min()), float(values.max()))
    found = Joint(kind, 0, 1, axis, origin, 0.0, values, span)
    ones, near = np.ones((frames, 2)), np.tile(np.array(held), (frames, 1))
    view = Camera(np.array([[300.0, 0, 160], [0, 300, 120], [0, 0, 1]]), 320, 240)
    labels, times = np.zeros(1, np.int32), np.arange(frames) / (frames / 3)
    motion = PartMotion(("base", "lid"), camera @ Ts, ones, ones, near, (found,), labels, times, view)
    return Made(boxes, motion, surface(boxes))


def surface(boxes: tuple[list[Box], list[Box]]) -> Workpiece:
    """Points on the outside."""
    points, normals, owners = [], [], []
    for k, part in enumerate(boxes):
        for middle, size in part:
            mesh = trimesh.creation.box(size)
            found, faces = trimesh.sample.sample_surface(mesh, max(300, int(mesh.area * 60_000)), seed=0)
            points.append(found + middle)
            normals.append(mesh.face_normals[faces])
            owners.append(np.full(len(found), k))
    return Workpiece(np.concatenate(points), np.concatenate(normals), np.concatenate(owners))


def placed(x: float, y: float, yaw: float = 0.0) -> np.ndarray:
    """(4, 4) on the table."""
    T = np.eye(4)
    T[:3, :3] = Rotation.from_euler("z", yaw).as_matrix()
    T[:2, 3] = x, y
    return T


def made_true(folder: Path) -> tuple[PartMotion, Workpiece]:
    """The true motion and surface of what `sim articulated` wrote, scan-world coordinates."""
    truth = json.loads((folder / "truth.json").read_text())
    arrays, names, joints = load_file(folder / "truth.safetensors"), list(truth["parts"]), []
    for k, it in enumerate(truth["joints"]):
        values = arrays["values"][:, k]
        ends = names.index(it["parent"]), names.index(it["child"])
        span = float(values.min()), float(values.max())
        joints.append(Joint(it["type"], *ends, np.array(it["axis"]), np.array(it["origin"]), it["pitch"], values, span))
    ones = np.ones(arrays["held"].shape)
    view = Camera(np.array([[300.0, 0, 160], [0, 300, 120], [0, 0, 1]]), 320, 240)
    times = np.arange(len(ones)) / 10  # slowly
    labels, held = np.zeros(1, np.int32), arrays["held"].astype(bool)
    motion = PartMotion(tuple(names), arrays["Ts_camera_part"], ones, ones, held, tuple(joints), labels, times, view)
    rest, T = draw_object(truth["object"], truth["seed"])[0], np.array(truth["T_world_object"])
    points, normals, owners = [], [], []
    for piece in rest.spec.pieces:
        if piece.touches:
            mesh = piece.solid.mesh.copy()
            mesh.apply_transform(T)
            found, faces = trimesh.sample.sample_surface(mesh, max(200, int(mesh.area * 60_000)), seed=0)
            points.append(found)
            normals.append(mesh.face_normals[faces])
            owners.append(np.full(len(found), names.index(piece.part)))
    return motion, Workpiece(np.concatenate(points), np.concatenate(normals), np.concatenate(owners))
