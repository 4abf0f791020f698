"""inversion_node: where in a field the camera is, from its pictures, without a guess."""

from pathlib import Path
from typing import Any

import torch
from geometry_msgs.msg import PoseWithCovarianceStamped
from robodistill_interfaces.srv import LocateCamera
from tf2_ros import TransformBroadcaster

from robodistill.capture.frame import Frame
from robodistill.config import InversionConfig
from robodistill.errors import BadInput, RobodistillError
from robodistill.field.gaussians import GaussianField
from robodistill.inversion.estimate import PoseEstimate
from robodistill.inversion.locator import Locator
from robodistill.pipeline.locate import COARSE, LocateOptions, open_locator
from robodistill.ros.nodes.base import BaseNode, run_node
from robodistill.ros.nodes.convert import as_covariance, as_rgbd, as_transform, header
from robodistill.ros.nodes.rgbd import watch_rgbd
from robodistill.ros.settings import InversionNodeSettings


class InversionNode(BaseNode):
    """Pictures in, poses out."""

    def __init__(self, **options: Any) -> None:
        super().__init__("inversion_node", **options)
        settings = self.settings(InversionNodeSettings)
        if settings.coarse not in COARSE:
            raise BadInput(f"parameter coarse {settings.coarse!r}: one of {', '.join(COARSE)} is needed")
        self._locators: dict[tuple[str, str], Locator] = {}
        self._last: tuple | None = None
        self._previous = None
        self._busy = False
        self._pose = self.create_publisher(PoseWithCovarianceStamped, "~/pose", 10)
        self._tf = TransformBroadcaster(self)
        self.create_service(LocateCamera, "~/locate", self._on_locate, callback_group=self.group)
        watch_rgbd(self, self._on_image, settings.slop, with_depth=settings.use_depth)
        if settings.rate > 0:
            self.create_timer(1 / settings.rate, self._on_turn, self.group)
        if settings.field:
            self.in_background(self._prepare)

    def _prepare(self) -> None:
        self._locator("")
        self.get_logger().info(f"{self.get_parameter('field').value} is ready")

    def _locator(self, phrase: str) -> Locator:
        """Of the whole field, or of one thing in it."""
        path = self.get_parameter("field").value
        if not path:
            raise BadInput("no field: set the node's parameter `field`")
        if (path, phrase) not in self._locators:
            folder = Path(path).expanduser()
            field = GaussianField.load(folder)
            field = field.to("cuda") if torch.cuda.is_available() else field
            options = LocateOptions(coarse=self.get_parameter("coarse").value, object=phrase or None)
            self._locators[path, phrase] = open_locator(field, InversionConfig(), options, folder)
        return self._locators[path, phrase]

    def _on_image(self, image: Any, *rest: Any) -> None:
        self.counts["images heard"] += 1
        self._last = (image, rest[0] if len(rest) == 2 else None, rest[-1])

    def _locate(self, image: Any, depth: Any, info: Any, phrase: str = "", previous: Any = None) -> PoseEstimate:
        rgb, measured, camera = as_rgbd(image, depth, info)
        frame = Frame(rgb, measured, camera, None, "picture")
        return self._locator(phrase).locate(frame, previous=previous)

    def _from_request(self, request: Any) -> tuple[PoseEstimate, str]:
        if not request.image.data:
            if self._last is None:
                raise BadInput("the request holds no image, and none has come on the topics image and camera_info")
            image, depth, info = self._last
        else:
            depth = request.depth if len(request.depth.data) else None
            image, info = request.image, request.camera_info
        return self._locate(image, depth, info, request.object), image.header.frame_id

    async def _on_locate(self, request: Any, response: Any) -> Any:
        answer = await self.answer(response, self._from_request, request)
        if answer is None:
            return response
        found, _ = answer
        response.converged, response.confidence = bool(found.converged), float(found.confidence)
        response.message, response.seconds = found.reason, float(found.seconds)
        response.frame_id = self.get_parameter("world_frame").value
        if found.T_world_camera is not None:
            response.pose = as_covariance(found.T_world_camera, found.covariance)
        return response

    def _on_turn(self) -> None:
        """Locate the newest image; the last answer is a hypothesis for it."""
        if self._last is None or self._busy:
            return
        self._busy, taken, self._last = True, self._last, None

        def turn() -> None:
            try:
                found = self._locate(*taken, previous=self._previous)
                self._previous = found.T_world_camera if found.converged else None
                if found.converged:
                    self._tell(found, taken[0].header)
                else:
                    self.complain(f"not located: {found.reason}", "images not located")
            except RobodistillError as error:
                self.complain(str(error), "images not located")
            finally:
                self._busy = False

        self.in_background(turn)

    def _tell(self, found: PoseEstimate, seen: Any) -> None:
        at = header(self.get_parameter("world_frame").value, seen.stamp)
        pose = as_covariance(found.T_world_camera, found.covariance)
        self._pose.publish(PoseWithCovarianceStamped(header=at, pose=pose))
        if self.get_parameter("publish_tf").value:
            self._tf.sendTransform(as_transform(found.T_world_camera, at, seen.frame_id))
        self.counts["images located"] += 1


def main(args: list[str] | None = None) -> int:
    """Entry point."""
    return run_node(InversionNode, args)


if __name__ == "__main__":
    raise SystemExit(main())
