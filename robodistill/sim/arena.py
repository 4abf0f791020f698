"""A physical scene with a robot in it that follows a trajectory: what moved, and what the robot touched.

The judge of grasps and of two-arm plans. The scene is the simulator's truth, never a field.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from robodistill.robots.robot import Robot
from robodistill.robots.trajectory import RobotTrajectory
from robodistill.sim.mujoco_gl import load_mujoco
from robodistill.sim.robot_body import LEAD, PREFIX, STIFF, add_robot, commands
from robodistill.sim.scene import Scene

_STEP = 0.002  # s
_EVERY = 10  # steps between two samples
WORLD = "table"
"""Name of what does not move, in contacts."""


@dataclass(frozen=True, eq=False)
class Recording:
    """A run, sampled at K times."""

    times: np.ndarray
    """(K,) s."""
    poses: dict[str, np.ndarray]
    """(K, 4, 4) Ts_world_body of what was watched."""
    joints: np.ndarray
    """(K, J) of the robot, rad."""
    lag: float
    """Greatest difference between told and reached joint values, rad."""
    contacts: dict[tuple[str, str], np.ndarray]
    """(K,) bool by (robot link, other link or body): whether they touched at that time."""


class Arena:
    """A compiled scene with a robot; every run starts anew."""

    def __init__(
        self,
        spec: object,
        robot: Robot,
        state: dict[str, np.ndarray],
        watched: dict[str, str],
        stiffness: float = STIFF,
    ) -> None:
        """Build.

        Args:
            spec: `MjSpec` without a robot; it is copied.
            state: Values of joints of the scene at the start, by name; the others as they were made.
            watched: Bodies that a recording tells of: what to call them, and their names in the scene.
            stiffness: Of the arms' joints, N m/rad.

        Raises:
            MissingPart: MuJoCo or coal is not installed.
        """
        self._mj = mj = load_mujoco()
        self.robot, self._state, self._watched = robot, state, watched
        spec = spec.copy()
        add_robot(spec, robot, stiffness)
        spec.option.timestep = _STEP
        spec.option.impratio = 10  # what is held does not creep out of the fingers
        spec.option.noslip_iterations = 3
        if hasattr(mj.mjtEnableBit, "mjENBL_SLEEP"):  # what rests costs nothing until it is touched
            spec.option.enableflags |= int(mj.mjtEnableBit.mjENBL_SLEEP)
        self.model = spec.compile()
        self.data = mj.MjData(self.model)
        self._bodies = {name: self.model.body(body).id for name, body in watched.items()}
        known = {k: name for name, k in self._bodies.items()}
        # a body is called by what it hangs on, if that is watched
        self._called: list[str] = []
        for k in range(self.model.nbody):
            body, parent = self.model.body(k).name, self.model.body_parentid[k]
            own = body if body.startswith(PREFIX) or self.model.body_dofnum[k] else ""
            above = self._called[parent] if k else WORLD
            self._called.append(known.get(k) or (above if above in watched or not own else own))

    @classmethod
    def of_scene(cls, scene: Scene, robot: Robot) -> "Arena":
        """A settled table; objects are called by their ids as text, things without a name as in the scene."""
        model = scene.model
        names = [model.joint(k).name for k in range(model.njnt)]
        watched = {name: name for name in names}  # a thing's body and its free joint are of one name
        for it in scene.objects:
            geom = int(np.flatnonzero(scene.to_object == it.id)[0])
            body = model.body(model.geom_bodyid[geom]).name
            del watched[body]
            watched[str(it.id)] = body
        return cls(scene.spec, robot, {name: scene.data.joint(name).qpos.copy() for name in names}, watched)

    def reset(self, positions: np.ndarray, openings: np.ndarray) -> None:
        """The scene as at the start, the robot standing in a configuration (J,) with openings (A,)."""
        self._mj.mj_resetData(self.model, self.data)
        for name, value in self._state.items():
            self.data.joint(name).qpos[:] = value
        for name, value in commands(self.robot, positions, openings).items():
            self.data.joint(name).qpos[:] = value
            self.data.actuator(name).ctrl[:] = value
        self._mj.mj_forward(self.model, self.data)

    def run(
        self, trajectory: RobotTrajectory, rest: float = 0.0, watch: Callable[[float, object], None] | None = None
    ) -> Recording:
        """Follow a trajectory from the start.

        Args:
            rest: Seconds that its end is held.
            watch: Called at every sample with the time and `MjData`, to draw or to measure more.
        """
        first = trajectory.times[0]
        self.reset(*trajectory.at(first))
        ids = [self.model.joint(PREFIX + name).qposadr[0] for name in self.robot.joints]
        count = int(np.ceil((trajectory.duration + rest) / (_STEP * _EVERY))) + 1
        positions, openings = trajectory.at(first + _STEP * (1 + np.arange(count * _EVERY)))
        ahead = LEAD * np.gradient(positions, _STEP, axis=0)
        targets = commands(self.robot, positions + ahead, openings)
        servos = [self.model.actuator(name).id for name in targets]
        told = np.stack(list(targets.values()), -1)
        times, joints = np.zeros(count), np.zeros((count, len(ids)))
        poses = {name: np.tile(np.eye(4), (count, 1, 1)) for name in self._watched}
        contacts: dict[tuple[str, str], np.ndarray] = {}
        for k in range(count):
            times[k], joints[k] = self.data.time, self.data.qpos[ids]
            for name, body in self._bodies.items():
                poses[name][k, :3, :3] = self.data.xmat[body].reshape(3, 3)
                poses[name][k, :3, 3] = self.data.xpos[body]
            for pair in self._touched():
                contacts.setdefault(pair, np.zeros(count, bool))[k] = True
            if watch is not None:
                watch(float(self.data.time), self.data)
            for row in told[k * _EVERY : (k + 1) * _EVERY]:
                self.data.ctrl[servos] = row
                self._mj.mj_step(self.model, self.data)
        lag = float(np.abs(joints - trajectory.at(first + times)[0]).max())
        return Recording(times, poses, joints, lag, contacts)

    def _touched(self) -> set[tuple[str, str]]:
        """(robot link, what it touches) of all contacts there are now."""
        contact = self.data.contact
        found = set()
        for one, other in self.model.geom_bodyid[contact.geom[contact.dist < 0]]:
            a, b = self._called[one], self._called[other]
            if b.startswith(PREFIX) and not a.startswith(PREFIX):
                a, b = b, a
            if a.startswith(PREFIX):
                found.add((a.removeprefix(PREFIX), b.removeprefix(PREFIX)))
        return found
