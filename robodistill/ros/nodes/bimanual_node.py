"""bimanual_node: plans of how two arms repeat a demonstration; trajectories are sent only where a request says so."""

import json
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from nav_msgs.msg import Path as PathMessage
from rclpy.action import ActionServer, CancelResponse
from rclpy.qos import DurabilityPolicy, QoSProfile
from robodistill_interfaces.action import ReplayDemo
from robodistill_interfaces.srv import PlanMotion
from sensor_msgs.msg import JointState
from std_srvs.srv import Trigger
from trajectory_msgs.msg import JointTrajectory

from robodistill.errors import BadInput, HonestNo
from robodistill.pipeline.plan import PlanOptions, plan_motion
from robodistill.pipeline.replay import ReplayOptions, ReplayResult, replay
from robodistill.pipeline.replay_report import PLAN
from robodistill.planning.trajectory import BimanualTrajectory
from robodistill.robots.robot import load_robot
from robodistill.ros.nodes.arms import arm_trajectories, gripper_paths, gripper_trajectories
from robodistill.ros.nodes.base import BaseNode, run_node
from robodistill.ros.nodes.convert import from_pose, header
from robodistill.ros.nodes.transforms import Transforms
from robodistill.ros.settings import BimanualNodeSettings

_LATCHED = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
_FRESH = 2.0  # seconds that joint states are old at most when something is sent


class BimanualNode(BaseNode):
    """Motions in, plans out."""

    def __init__(self, **options: Any) -> None:
        super().__init__("bimanual_node", **options)
        self._transforms = Transforms(self, self.settings(BimanualNodeSettings).pose_wait)
        self._plan: BimanualTrajectory | None = None
        self._senders: dict[str, Any] = {}
        self._state: tuple[float, dict[str, float]] = (-np.inf, {})
        self.create_subscription(JointState, "joint_states", self._on_state, 10)
        self.create_service(PlanMotion, "~/plan", self._on_plan, callback_group=self.group)
        self.create_service(Trigger, "~/send", self._on_send, callback_group=self.group)
        self._action = ActionServer(
            self,
            ReplayDemo,
            "~/replay_demo",
            self._on_goal,
            cancel_callback=lambda _: CancelResponse.ACCEPT,
            callback_group=self.group,
        )

    def status(self) -> dict[str, Any]:
        """For the diagnostics."""
        return {"plan": "none" if self._plan is None else f"{self._plan.duration:.1f} s"}

    def _on_state(self, message: Any) -> None:
        known = self._state[1] | dict(zip(message.name, message.position, strict=False))
        self._state = time.monotonic(), known

    async def _on_plan(self, request: Any, response: Any) -> Any:
        plan = await self.answer(response, self._make, request)
        if plan is not None:
            self._tell(plan, response)
            response.duration = float(plan.duration)
            response.checks = [f"{name}={value}" for name, value in _flat(plan.checks)]
        return response

    async def _on_goal(self, goal: Any) -> Any:
        result = ReplayDemo.Result()
        start = time.perf_counter()
        job = partial(self._replay, result)
        plan = await self.carry_out(goal, result, ReplayDemo.Feedback, job)
        result.seconds = time.perf_counter() - start
        if plan is not None:
            self._tell(plan, result)
        return result

    async def _on_send(self, request: Any, response: Any) -> Any:
        plan = await self.answer(response, self._send_last)
        if plan is not None:
            response.message = f"sent {plan.duration:.1f} s to {', '.join(plan.motion.arms)}"
        return response

    def _make(self, request: Any) -> BimanualTrajectory:
        settings = self.current(BimanualNodeSettings)
        motion, field = request.motion or settings.motion, request.field or settings.field
        for name, given in (("motion", motion), ("field", field)):
            if not given:
                raise BadInput(f"no {name}: name one in the request, or set the node's parameter `{name}`")
        out = Path(request.output or settings.output).expanduser()
        with tempfile.TemporaryDirectory() as folder:
            options = PlanOptions(
                request.robot or settings.robot,
                (settings.x, settings.y, settings.yaw),
                self._pose_file(request.object, folder),
                overwrite=not request.output and settings.overwrite,
            )
            files = [Path(name).expanduser() for name in (motion, field)]
            plan = plan_motion(*files, out, options)
        return self._keep(plan, request.publish)

    def _replay(self, result: Any, request: Any, progress: Any) -> BimanualTrajectory:
        settings = self.current(BimanualNodeSettings)
        out = Path(request.output or settings.replay_output).expanduser()
        for name in ("scan", "video"):
            if not getattr(request, name):
                raise BadInput(f"no {name}: name one in the goal")
        scan, film = (Path(name).expanduser() for name in (request.scan, request.video))
        with tempfile.TemporaryDirectory() as folder:
            options = ReplayOptions(
                Path(request.intrinsics).expanduser() if request.intrinsics else None,
                request.robot or settings.robot,
                (settings.x, settings.y, settings.yaw),
                self._pose_file(request.object, folder),
                overwrite=not request.output and settings.overwrite,
            )
            found: ReplayResult = replay(scan, film, out, options, progress=progress)
        result.report = str(found.report)
        result.stages = [f"{stage.name}={stage.state}" for stage in found.stages]
        if not found.success:
            failed = next(stage for stage in found.stages if stage.state == "failed")
            raise HonestNo(f"{failed.name}: {failed.reason}")
        return self._keep(BimanualTrajectory.load(out / PLAN), request.publish)

    def _pose_file(self, given: Any, folder: str) -> Path | None:
        """The object's pose as the library's verbs read it; None where none is given."""
        frame = given.header.frame_id
        if not frame:
            return None
        world = self.get_parameter("world_frame").value
        T_world_object = from_pose(given.pose, "the object's pose")
        if frame != world:
            T_world_object = self._transforms.find(world, given.header) @ T_world_object
        path = Path(folder) / "pose.json"
        path.write_text(json.dumps({"T_world_object": T_world_object.tolist()}))
        return path

    def _keep(self, plan: BimanualTrajectory, send: bool) -> BimanualTrajectory:
        self._plan = plan
        if send:
            self._send_last()
        return plan

    def _send_last(self) -> BimanualTrajectory:
        """Send the last plan to the arms.

        Raises:
            BadInput: There is none, or the robot does not stand where it begins, or does not say where it stands.
        """
        plan = self._plan
        if plan is None:
            raise BadInput("there is no plan to send; ask ~/plan or ~/replay_demo first")
        tolerance = self.get_parameter("start_tolerance").value
        if tolerance > 0:
            self._check_start(plan, tolerance)
        robot, at = load_robot(plan.motion.robot), header(self.get_parameter("world_frame").value)
        messages = zip(
            plan.motion.arms,
            arm_trajectories(plan, at),
            gripper_trajectories(plan, robot, at),
            gripper_paths(plan, robot, at),
            strict=True,
        )
        for arm, joints, fingers, way in messages:
            self._sender(PathMessage, f"~/{arm}/path", _LATCHED).publish(way)
            self._sender(JointTrajectory, f"~/{arm}/joint_trajectory", 1).publish(joints)
            self._sender(JointTrajectory, f"~/{arm}/gripper_trajectory", 1).publish(fingers)
        self.counts["plans sent"] += 1
        return plan

    def _check_start(self, plan: BimanualTrajectory, tolerance: float) -> None:
        heard, state = self._state
        if time.monotonic() - heard > _FRESH:
            raise BadInput(
                f"not sent: no joint_states in the last {_FRESH:g} s, so it is not known where the robot stands "
                "(start_tolerance 0 sends without looking)"
            )
        names = [name for joints in plan.motion.arms.values() for name in joints]
        missing = [name for name in names if name not in state]
        if missing:
            raise BadInput(f"not sent: joint_states lack {', '.join(missing)}")
        off = {name: abs(state[name] - at) for name, at in zip(names, plan.motion.positions[0], strict=True)}
        worst = max(off, key=off.get)
        if off[worst] > tolerance:
            raise BadInput(
                f"not sent: {worst} is {off[worst]:.2f} rad from where the plan begins; {tolerance:g} is allowed"
            )

    def _sender(self, kind: type, topic: str, qos: Any) -> Any:
        """A publisher, made when it is first needed: before, no arm is told anything."""
        if topic not in self._senders:
            self._senders[topic] = self.create_publisher(kind, topic, qos)
        return self._senders[topic]

    def _tell(self, plan: BimanualTrajectory, response: Any) -> None:
        robot, at = load_robot(plan.motion.robot), header(self.get_parameter("world_frame").value)
        response.arms = list(plan.motion.arms)
        response.trajectories, response.grippers = arm_trajectories(plan, at), gripper_trajectories(plan, robot, at)
        held = ", ".join(f"{arm} holds {part}" for arm, part in plan.arms.items())
        response.message = f"{plan.duration:.1f} s; {held}"


def _flat(values: dict, above: str = "") -> list[tuple[str, Any]]:
    """(name.name, value) of nested figures."""
    told = []
    for name, value in values.items():
        told += _flat(value, f"{above}{name}.") if isinstance(value, dict) else [(f"{above}{name}", value)]
    return told


def main(args: list[str] | None = None) -> int:
    """Entry point."""
    return run_node(BimanualNode, args)


if __name__ == "__main__":
    raise SystemExit(main())
