"""grasp_node: how what a phrase names can be grasped, ranked, with the arm and the way there."""

import time
from typing import Any

from geometry_msgs.msg import PoseArray
from robodistill_interfaces.msg import Grasp as GraspMessage
from robodistill_interfaces.msg import GraspArray
from robodistill_interfaces.srv import GraspQuery

from robodistill.config import GraspConfig
from robodistill.errors import BadInput, HonestNo
from robodistill.grasp.grasp import Grasp, GraspList
from robodistill.pipeline.grasp import Grasper
from robodistill.robots.ik import load_toolbox
from robodistill.robots.obstacles import load_coal
from robodistill.robots.robot import load_robot
from robodistill.ros.nodes.base import BaseNode, run_node
from robodistill.ros.nodes.convert import as_pose, as_pose_stamped, header
from robodistill.ros.nodes.loaded import LoadedField
from robodistill.ros.settings import GraspNodeSettings


class GraspNode(BaseNode):
    """Phrases in, hand poses out."""

    def __init__(self, **options: Any) -> None:
        super().__init__("grasp_node", **options)
        settings = self.settings(GraspNodeSettings)
        self._loaded = LoadedField(settings.teacher)
        self._grasper: tuple[tuple, Grasper] | None = None
        self._grasps = self.create_publisher(GraspArray, "~/grasps", 1)
        self._poses = self.create_publisher(PoseArray, "~/poses", 1)
        self.create_service(GraspQuery, "~/grasp", self._on_query, callback_group=self.group)
        self.in_background(self._prepare, settings)

    def _prepare(self, settings: GraspNodeSettings) -> None:
        """What takes long is done before the first question."""
        load_toolbox(), load_coal()
        if not settings.field:
            return
        self._open("", settings.robot)
        self.get_logger().info(f"{settings.field} and {settings.robot} are ready")

    def _open(self, field: str, robot: str) -> Grasper:
        loaded = self._loaded.open(field, self.get_parameter("field").value)
        key = (loaded.key, robot)
        if self._grasper is None or self._grasper[0] != key:
            self._grasper = key, Grasper(loaded.querier, load_robot(robot), GraspConfig())
        return self._grasper[1]

    def _ask(self, request: Any, response: Any) -> GraspList | None:
        if not request.text.strip():
            raise BadInput("the text is empty; a phrase such as 'red mug by the handle' is needed")
        start = time.perf_counter()
        try:
            found = self._open(request.field, request.robot or self.get_parameter("robot").value)(request.text).grasps
        except HonestNo as error:
            told = error.answer.get("rejected", {})
            response.reasons, response.rejected = list(told), [int(count) for count in told.values()]
            response.seconds = time.perf_counter() - start
            raise
        response.reasons, response.rejected = list(found.rejected), [int(n) for n in found.rejected.values()]
        response.seconds = time.perf_counter() - start
        return found

    async def _on_query(self, request: Any, response: Any) -> Any:
        found = await self.answer(response, self._ask, request, response)
        if found is None:
            return response
        at = header(self.get_parameter("world_frame").value, self.get_clock().now().to_msg())
        limit = request.max_grasps or self.get_parameter("max_grasps").value
        chosen = found.grasps[:limit] if limit else found.grasps
        response.poses = [as_pose_stamped(grasp.T_world_grasp, at) for grasp in chosen]
        response.widths = [float(grasp.width) for grasp in chosen]
        response.scores = [float(grasp.score) for grasp in chosen]
        response.arms = [grasp.arm for grasp in chosen]
        robot = request.robot or self.get_parameter("robot").value
        messages = [_message(grasp, at) for grasp in chosen]
        response.grasps = GraspArray(header=at, phrase=request.text, robot=robot, grasps=messages)
        self._grasps.publish(response.grasps)
        self._poses.publish(PoseArray(header=at, poses=[as_pose(grasp.T_world_grasp) for grasp in chosen]))
        return response


def _message(grasp: Grasp, at: Any) -> GraspMessage:
    made = GraspMessage(header=at, pose=as_pose(grasp.T_world_grasp), arm=grasp.arm)
    made.width, made.score = float(grasp.width), float(grasp.score)
    if grasp.T_world_pregrasp is not None:
        made.pregrasp, made.lift = as_pose(grasp.T_world_pregrasp), as_pose(grasp.T_world_lift)
    return made


def main(args: list[str] | None = None) -> int:
    """Entry point."""
    return run_node(GraspNode, args)


if __name__ == "__main__":
    raise SystemExit(main())
