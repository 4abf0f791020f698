"""What `bench replay` runs on: simulated demonstrations, places on a robot's table, and what its camera sees there."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file

from robodistill.bench.films import Demo, make_demo
from robodistill.capture.frame import Frame
from robodistill.geometry.camera import Camera
from robodistill.grasp.surface import field_surface
from robodistill.pipeline.plan import placed
from robodistill.planning.ways import can_begin
from robodistill.planning.workpiece import Workpiece
from robodistill.robots.robot import Robot
from robodistill.sim.articulated.physics import make_workbench
from robodistill.sim.mujoco_gl import load_mujoco
from robodistill.sim.noise import noisy_color, noisy_depth
from robodistill.sim.render import Painter
from robodistill.sim.views import look_at
from robodistill.tracking.motion import Joint, PartMotion

_REACH = ((-0.14, 0.14), (-0.08, 0.14))  # metres over the table
_PLACES = 40  # that are tried


@dataclass(frozen=True, eq=False)
class Demonstration:
    """A simulated object with its film, and what is true of both."""

    demo: Demo
    motion: PartMotion
    """The true one."""
    workpiece: Workpiece
    """The field's surface with the true parts."""
    plane: np.ndarray
    """(4,) that it stands on, field frame."""


def make_demonstration(parent: Path, name: str, seed: int) -> Demonstration:
    """Simulate, build and label."""
    demo = make_demo(parent, name, seed)
    surface = field_surface(demo.field)
    motion = true_motion(demo)
    return Demonstration(demo, motion, Workpiece.of_surface(surface, motion.labels), surface.plane)


def true_motion(demo: Demo) -> PartMotion:
    """The motion that a perfect tracker would find."""
    arrays, names, joints = load_file(demo.folder / "truth.safetensors"), list(demo.truth["parts"]), []
    for k, it in enumerate(demo.truth["joints"]):
        values = demo.values[:, k] * it["moved"]
        span = float(values.min()), float(values.max())
        kind, axis = (it["type"], np.array(it["axis"])) if it["moved"] else ("fixed", np.zeros(3))
        ends = names.index(it["parent"]), names.index(it["child"])
        joints.append(Joint(kind, *ends, axis, np.array(it["origin"]), it["pitch"], values, span))
    held, sure = arrays["held"].astype(bool), np.ones(arrays["held"].shape)
    labels = demo.labels.astype(np.int32)
    return PartMotion(
        *(tuple(names), demo.Ts_camera_part, sure, arrays["visible"], held, tuple(joints), labels),
        *(demo.film.times, demo.camera),
    )


def draw_place(it: Demonstration, robot: Robot, name: str, seed: int) -> np.ndarray | None:
    """(4, 4) T_world_object where parts can be reached and held when the motion begins; None if no such was drawn."""
    rng = np.random.default_rng([seed, *it.demo.truth["object"].encode()])
    known: dict = {}
    for _ in range(_PLACES):
        (left, right), (near, far) = _REACH
        where = rng.uniform(left, right), rng.uniform(near, far), rng.uniform(-np.pi, np.pi)
        T = placed(it.workpiece.points, it.plane, *where)
        if can_begin(robot, name, it.motion, T, it.workpiece, known):
            return T
    return None


def robot_view(it: Demonstration, T_world_scan: np.ndarray, seed: int) -> tuple[Frame, np.ndarray]:
    """What a robot's RGB-D camera sees of the object there, with a sensor's noise, and its T_world_camera (4, 4)."""
    truth, rng = it.demo.truth, np.random.default_rng([seed, 7])
    bench, _ = make_workbench(truth["object"], truth["seed"], T_world_scan @ np.array(truth["T_world_object"]))
    mujoco = load_mujoco()
    model = bench.spec.compile()
    data = mujoco.MjData(model)
    for joint, value in bench.state.items():
        data.joint(joint).qpos[:] = value
    mujoco.mj_forward(model, data)
    camera = Camera.from_fov(np.radians(50), 640, 480)
    height, side, away = np.radians(rng.uniform(35, 60)), rng.uniform(0.15, 0.85) * np.pi, rng.uniform(0.6, 0.8)
    eye = away * np.array([np.cos(height) * np.cos(side), np.cos(height) * np.sin(side), np.sin(height)])
    T_world_camera = look_at(eye, np.array([*rng.uniform(-0.03, 0.03, 2), 0.03]))
    with Painter(model, camera) as painter:
        painter.look(data, T_world_camera)
        rgb, (depth, _) = painter.color(), painter.depth_and_geoms()
    return Frame(noisy_color(rgb, rng), noisy_depth(depth, camera, rng), camera, None, "view"), T_world_camera


def owners_of(labels: Sequence[int], truth: np.ndarray) -> dict[int, int]:
    """True part by found part: the one that most of its Gaussians are of."""
    labels = np.asarray(labels)
    found = {}
    for k in np.unique(labels[labels >= 0]):
        own = truth[(labels == k) & (truth >= 0)]
        if len(own):
            found[int(k)] = int(np.bincount(own).argmax())
    return found
