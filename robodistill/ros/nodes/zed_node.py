"""zed_node: a ZED camera as topics, through Stereolabs' SDK."""

import threading
from typing import Any

import rclpy
from builtin_interfaces.msg import Time

from robodistill.capture.zed import ZedOptions, ZedSource
from robodistill.errors import RobodistillError
from robodistill.ros.nodes.base import BaseNode, run_node
from robodistill.ros.nodes.camera_node import FramePublisher
from robodistill.ros.settings import ZedNodeSettings


class ZedNode(BaseNode):
    """Grabs in a thread of its own."""

    def __init__(self, sl: Any = None, **options: Any) -> None:
        super().__init__("zed_node", **options)
        s = self.settings(ZedNodeSettings)
        chosen = ZedOptions(s.source, s.resolution, s.fps, s.depth_mode, s.min_depth, s.max_depth, s.tracking)
        self._source = ZedSource(chosen, sl)
        self._sender = FramePublisher(self, s.world_frame, s.frame_id)
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._grab, name="grab", daemon=True)
        self._thread.start()

    def status(self) -> dict[str, Any]:
        """For the diagnostics."""
        return {"frames not grabbed": self._source.dropped}

    def _grab(self) -> None:
        try:
            for frame in self._source:
                if self._end.is_set() or not rclpy.ok(context=self.context):
                    return
                sec, nanosec = divmod(round(frame.stamp * 1e9), 10**9)
                self._sender.send(frame, Time(sec=sec, nanosec=nanosec))
                self.counts["frames sent"] += 1
                if frame.T_world_camera is None and self.get_parameter("tracking").value:
                    self.complain("the camera's pose is not tracked right now", "frames without a pose")
            self.get_logger().info("the recording has ended")
        except RobodistillError as error:
            self.complain(str(error))

    def destroy_node(self) -> None:
        """Let go of the camera."""
        self._end.set()
        self._thread.join(timeout=2.0)
        self._source.close()
        super().destroy_node()


def main(args: list[str] | None = None) -> int:
    """Entry point."""
    return run_node(ZedNode, args)


if __name__ == "__main__":
    raise SystemExit(main())
