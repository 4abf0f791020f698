"""tracking_node: the parts of a scanned object through a demonstration, from a film or from live images."""

from pathlib import Path
from typing import Any

import cv2
import numpy as np
from geometry_msgs.msg import Point
from rclpy.action import ActionServer, CancelResponse
from rclpy.qos import DurabilityPolicy, QoSProfile
from robodistill_interfaces.action import TrackDemo
from robodistill_interfaces.msg import Joint as JointMessage
from robodistill_interfaces.msg import PartMotion as MotionMessage
from std_srvs.srv import SetBool

from robodistill.errors import BadInput, CaptureError
from robodistill.field.gaussians import GaussianField
from robodistill.geometry.camera import Camera
from robodistill.pipeline.track import TrackOptions, track_film
from robodistill.ros.nodes.base import BaseNode, run_node
from robodistill.ros.nodes.convert import as_pose, as_rgbd, as_vector, header, seconds
from robodistill.ros.nodes.rgbd import watch_rgbd
from robodistill.ros.settings import TrackingNodeSettings
from robodistill.tracking.motion import PartMotion
from robodistill.tracking.track import track_parts

_LATCHED = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)


class TrackingNode(BaseNode):
    """Films or images in, motions out."""

    def __init__(self, **options: Any) -> None:
        super().__init__("tracking_node", **options)
        settings = self.settings(TrackingNodeSettings)
        self._recording = False
        self._frames: list[np.ndarray] = []
        self._times: list[float] = []
        self._camera: Camera | None = None
        self._motion = self.create_publisher(MotionMessage, "~/motion", _LATCHED)
        self.create_service(SetBool, "~/record", self._on_record, callback_group=self.group)
        self._action = ActionServer(
            self,
            TrackDemo,
            "~/track_demo",
            self._on_goal,
            cancel_callback=lambda _: CancelResponse.ACCEPT,
            callback_group=self.group,
        )
        watch_rgbd(self, self._on_image, settings.slop, with_depth=False)

    def status(self) -> dict[str, Any]:
        """For the diagnostics."""
        return {"frames recorded": len(self._frames), "recording": self._recording}

    def _on_record(self, request: Any, response: Any) -> Any:
        if request.data and not self._recording:
            self._frames, self._times, self._camera = [], [], None
        self._recording = request.data
        response.success, response.message = True, f"{len(self._frames)} frames so far"
        return response

    def _on_image(self, image: Any, info: Any) -> None:
        if not self._recording:
            return
        if len(self._frames) >= self.get_parameter("max_frames").value:
            self._recording = False
            self.complain(f"recording ended after {len(self._frames)} frames: see parameter max_frames")
            return
        try:
            rgb, _, camera = as_rgbd(image, None, info)
        except CaptureError as error:
            self.complain(str(error), "frames not taken")
            return
        longest = self.get_parameter("longest").value
        if max(rgb.shape[:2]) > longest:
            scale = longest / max(rgb.shape[:2])
            size = round(rgb.shape[1] * scale), round(rgb.shape[0] * scale)
            rgb, camera = cv2.resize(rgb, size, interpolation=cv2.INTER_AREA), camera.resized(*size)
        self._camera = camera
        self._frames.append(rgb)
        self._times.append(seconds(image.header.stamp))

    def _track(self, request: Any, progress: Any) -> tuple[Path, PartMotion]:
        settings = self.current(TrackingNodeSettings)
        out = Path(request.output or settings.output).expanduser()
        overwrite = not request.output and settings.overwrite
        field = request.field or settings.field
        if not field:
            raise BadInput("no field: name one in the goal, or set the node's parameter `field`")
        if request.video:
            if not request.intrinsics:
                raise BadInput("no intrinsics: a film needs the .json of its camera")
            options = TrackOptions(every=settings.every, longest=settings.longest, overwrite=overwrite)
            files = [Path(name).expanduser() for name in (field, request.video, request.intrinsics)]
            return out, track_film(*files, out, options, progress=progress)
        if not self._frames:
            raise BadInput("no film was named, and no frame was recorded: see the service ~/record")
        if out.exists() and not overwrite:
            raise BadInput(f"{out} exists; give another name")
        scan = GaussianField.load(Path(field).expanduser())
        times = np.array(self._times) - self._times[0]
        motion = track_parts(scan, None, None, list(self._frames), times, self._camera, progress=progress)
        motion.save(out, overwrite)
        return out, motion

    async def _on_goal(self, goal: Any) -> Any:
        result = TrackDemo.Result()
        self._recording = False
        found = await self.carry_out(goal, result, TrackDemo.Feedback, self._track)
        if found is not None:
            path, motion = found
            result.path, result.motion = str(path), motion_message(motion, header("camera"))
            result.message = f"{len(motion)} frames, {len(motion.parts)} parts, {len(motion.joints)} joints"
            self._motion.publish(result.motion)
        return result


def motion_message(motion: PartMotion, at: Any) -> MotionMessage:
    """robodistill_interfaces/msg/PartMotion."""
    made = MotionMessage(header=at, parts=list(motion.parts), times=[float(t) for t in motion.times])
    made.poses = [as_pose(T) for frame in motion.Ts_camera_part for T in frame]
    made.confidence = [float(c) for c in motion.confidence.ravel()]
    made.held = [bool(h) for h in motion.held.ravel()]
    for joint in motion.joints:
        told = JointMessage(kind=joint.kind, parent=int(joint.parent), child=int(joint.child))
        told.axis, told.pitch = as_vector(joint.axis), float(joint.pitch)
        x, y, z = (float(v) for v in joint.origin)
        told.origin = Point(x=x, y=y, z=z)
        told.values = [float(v) for v in joint.values]
        told.range_min, told.range_max = (float(v) for v in joint.range)
        made.joints.append(told)
    return made


def main(args: list[str] | None = None) -> int:
    """Entry point."""
    return run_node(TrackingNode, args)


if __name__ == "__main__":
    raise SystemExit(main())
