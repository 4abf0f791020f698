"""camera_node: a capture, recorded or simulated, as a live camera: colour, depth, calibration, pose and tf."""

import itertools
from pathlib import Path
from typing import Any

from geometry_msgs.msg import PoseStamped
from rclpy.qos import QoSProfile
from sensor_msgs.msg import CameraInfo, Image
from tf2_ros import TransformBroadcaster

from robodistill.capture.frame import Frame
from robodistill.capture.open import open_capture
from robodistill.errors import BadInput, CaptureError
from robodistill.ros.nodes.base import BaseNode, run_node
from robodistill.ros.nodes.convert import as_depth_image, as_image, as_info, as_pose_stamped, as_transform, header
from robodistill.ros.settings import CameraNodeSettings


class FramePublisher:
    """Sends frames as a camera's topics: image, depth, camera_info, pose, and tf."""

    def __init__(self, node: BaseNode, world: str, frame_id: str) -> None:
        self._world, self._frame_id = world, frame_id
        qos = QoSProfile(depth=10)  # reliable: whoever wants best effort hears it too
        self._image = node.create_publisher(Image, "image", qos)
        self._depth = node.create_publisher(Image, "depth", qos)
        self._info = node.create_publisher(CameraInfo, "camera_info", qos)
        self._pose = node.create_publisher(PoseStamped, "pose", qos)
        self._tf = TransformBroadcaster(node)

    @property
    def heard(self) -> bool:
        """Whether somebody listens to the images."""
        return self._image.get_subscription_count() > 0

    def send(self, frame: Frame, stamp: Any) -> None:
        """One frame, as seen at a stamp; the pose goes first."""
        seen = header(self._frame_id, stamp)
        if frame.T_world_camera is not None:
            at = header(self._world, stamp)
            self._tf.sendTransform(as_transform(frame.T_world_camera, at, self._frame_id))
            self._pose.publish(as_pose_stamped(frame.T_world_camera, at))
        if frame.depth is not None:
            self._depth.publish(as_depth_image(frame.depth, seen))
        self._info.publish(as_info(frame.camera, seen))
        self._image.publish(as_image(frame.rgb, seen, "rgb8"))


class CameraNode(BaseNode):
    """Plays a capture."""

    def __init__(self, **options: Any) -> None:
        super().__init__("camera_node", **options)
        settings = self.settings(CameraNodeSettings)
        if not settings.capture:
            raise BadInput("no capture: set the parameter `capture` to a folder or a bag")
        if settings.rate <= 0:
            raise BadInput(f"parameter rate {settings.rate:g}: more than 0 is needed")
        capture = open_capture(Path(settings.capture).expanduser())
        self._frames = itertools.cycle(range(len(capture))) if settings.loop else iter(range(len(capture)))
        self._capture = capture
        self._sender = FramePublisher(self, settings.world_frame, settings.frame_id)
        self._waits = settings.wait
        self._timer = self.create_timer(1 / settings.rate, self._on_turn)

    def _on_turn(self) -> None:
        self._waits = self._waits and not self._sender.heard
        if self._waits:
            return
        index = next(self._frames, None)
        if index is None:
            self._timer.cancel()
            self.get_logger().info(f"{self._capture.name}: all {len(self._capture)} frames were sent")
            return
        try:
            frame = self._capture[index]
        except CaptureError as error:
            self.complain(str(error), "broken frames")
            return
        self._sender.send(frame, self.get_clock().now().to_msg())
        self.counts["frames sent"] += 1


def main(args: list[str] | None = None) -> int:
    """Entry point."""
    return run_node(CameraNode, args)


if __name__ == "__main__":
    raise SystemExit(main())
