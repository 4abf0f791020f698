"""field_node: gathers posed RGB-D frames from topics, builds a field of them, and shows it."""

from collections import deque
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from rclpy.action import ActionServer, CancelResponse
from rclpy.qos import DurabilityPolicy, QoSProfile
from robodistill_interfaces.action import BuildField as BuildAction
from robodistill_interfaces.srv import BuildField
from sensor_msgs.msg import Image, PointCloud2
from std_srvs.srv import Trigger

from robodistill.capture.frame import Capture, Frame
from robodistill.config import BuildConfig
from robodistill.errors import EmptyCapture, RobodistillError
from robodistill.field.gaussians import GaussianField
from robodistill.field.render import render
from robodistill.pipeline.build import BuildResult, build_field
from robodistill.raster.sh import sh0_to_rgb
from robodistill.ros.nodes.base import BaseNode, run_node
from robodistill.ros.nodes.convert import as_cloud, as_image, as_rgbd, header, seconds
from robodistill.ros.nodes.rgbd import PoseOfCamera, watch_rgbd
from robodistill.ros.settings import FieldNodeSettings

_LATCHED = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
_WAITING = 30  # frames whose turn has not come


class Gathered(Capture):
    """Frames in memory."""

    def __init__(self, frames: list[Frame], name: str) -> None:
        self._frames, self.name = frames, name

    def __len__(self) -> int:
        return len(self._frames)

    def __getitem__(self, index: int) -> Frame:
        return self._frames[index]


class FieldNode(BaseNode):
    """Frames in, fields out."""

    def __init__(self, **options: Any) -> None:
        super().__init__("field_node", **options)
        settings = self.settings(FieldNodeSettings)
        self._frames: deque[Frame] = deque(maxlen=settings.max_frames)
        self._waiting: deque[tuple] = deque()
        self._pose = PoseOfCamera(self, settings.world_frame, settings.pose_source, settings.pose_wait)
        self._cloud = self.create_publisher(PointCloud2, "~/cloud", _LATCHED)
        self._rendered = self.create_publisher(Image, "~/rendered", _LATCHED)
        self.create_service(BuildField, "~/build", self._on_build, callback_group=self.group)
        self.create_service(Trigger, "~/clear", self._on_clear, callback_group=self.group)
        self._action = ActionServer(
            self,
            BuildAction,
            "~/build_field",
            self._on_goal,
            cancel_callback=lambda _: CancelResponse.ACCEPT,
            callback_group=self.group,
        )
        watch_rgbd(self, self._on_frame, settings.slop, reliable=settings.reliable)

    def status(self) -> dict[str, Any]:
        """For the diagnostics."""
        return {"frames": len(self._frames)}

    def _on_frame(self, image: Any, depth: Any, info: Any) -> None:
        self.counts["frames heard"] += 1
        age = self.get_clock().now().nanoseconds / 1e9 - seconds(image.header.stamp)
        limit = self.get_parameter("max_age").value
        if limit and not -limit < age < limit:
            self.complain(f"a frame is {age:.1f} s old, allowed {limit:g} s: do the clocks agree?", "stale frames")
            return
        if len(self._waiting) >= _WAITING:
            self.complain("frames come faster than they are taken, or a field is being built", "frames dropped")
            return
        self._waiting.append((image, depth, info))
        self.in_background(self._keep)

    def _keep(self) -> None:
        """In the worker: the pose may still be on its way."""
        image, depth, info = self._waiting.popleft()
        settings = self.current(FieldNodeSettings)
        try:
            T_world_camera = self._pose.at(image.header)
            if not self._is_new(T_world_camera, settings):
                return
            rgb, measured, camera = as_rgbd(image, depth, info)
            stamp = seconds(image.header.stamp)
            self._frames.append(Frame(rgb, measured, camera, T_world_camera, f"{stamp:.6f}", stamp))
            self.counts["frames kept"] += 1
        except RobodistillError as error:
            self.complain(f"a frame was not taken: {error}", "frames not taken")

    def _is_new(self, T: np.ndarray, settings: FieldNodeSettings) -> bool:
        if not self._frames:
            return True
        before = self._frames[-1].T_world_camera
        moved = np.linalg.norm(T[:3, 3] - before[:3, 3])
        cosine = (np.trace(before[:3, :3].T @ T[:3, :3]) - 1) / 2
        turned = np.degrees(np.arccos(np.clip(cosine, -1, 1)))
        return moved >= settings.least_motion or turned >= settings.least_turn

    def _build(self, request: Any, progress: Any) -> BuildResult:
        settings = self.current(FieldNodeSettings)
        out = Path(request.output or settings.output).expanduser()
        if request.capture:
            capture: Path | Capture = Path(request.capture).expanduser()
        elif self._frames:
            capture = Gathered(
                list(self._frames), f"{len(self._frames)} frames from {self.resolve_topic_name('image')}"
            )
        else:
            raise EmptyCapture("no frame has been gathered, and no capture was named; see the diagnostics of this node")
        config = BuildConfig()
        config = replace(
            config,
            max_side=settings.max_side,
            hold_out=settings.hold_out,
            fit=replace(config.fit, steps=settings.steps),
            seed=replace(config.seed, gaussians=settings.gaussians),
            features=replace(config.features, teacher=settings.teacher, way=settings.features),
        )
        overwrite = request.overwrite or (not request.output and settings.overwrite)
        built = build_field(capture, out, config, overwrite=overwrite, progress=progress)
        self._show(built.path)
        return built

    def _show(self, path: Path) -> None:
        field = GaussianField.load(path)
        at = header(self.get_parameter("world_frame").value, self.get_clock().now().to_msg())
        solid = (field.opacities > 0.3).numpy()
        colors = sh0_to_rgb(field.sh[:, 0]).clamp(0, 1).numpy() * 255
        self._cloud.publish(as_cloud(field.means.numpy()[solid], colors[solid].astype(np.uint8), at))
        if field.views:
            view = field.views[0]
            rgb = render(field, view.camera, view.T_world_camera).rgb.detach().clamp(0, 1).numpy()
            self._rendered.publish(as_image((rgb * 255).round().astype(np.uint8), at, "rgb8"))

    async def _on_build(self, request: Any, response: Any) -> Any:
        built = await self.answer(response, self._build, request, lambda *_: None)
        return _told(response, built)

    async def _on_goal(self, goal: Any) -> Any:
        result = BuildAction.Result()
        built = await self.carry_out(goal, result, BuildAction.Feedback, self._build)
        return _told(result, built)

    def _on_clear(self, _: Any, response: Any) -> Any:
        response.success, response.message = True, f"{len(self._frames)} frames forgotten"
        self._frames.clear()
        return response


def _told(response: Any, built: BuildResult | None) -> Any:
    if built is not None:
        response.path, response.gaussians = str(built.path), built.gaussians
        response.psnr, response.seconds = float(built.psnr), float(built.seconds)
        response.message = f"{built.gaussians} Gaussians"
    return response


def main(args: list[str] | None = None) -> int:
    """Entry point."""
    return run_node(FieldNode, args)


if __name__ == "__main__":
    raise SystemExit(main())
