"""query_node: where in a field is what a phrase names; edits by words; the field after things have moved."""

import json
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from geometry_msgs.msg import Point, PointStamped
from robodistill_interfaces.srv import EditField, QueryField, UpdateScene
from sensor_msgs.msg import PointCloud2

from robodistill.errors import BadInput
from robodistill.pipeline.edit import edit_field
from robodistill.pipeline.update import update_field
from robodistill.raster.sh import sh0_to_rgb
from robodistill.ros.nodes.base import BaseNode, run_node
from robodistill.ros.nodes.convert import as_cloud, as_pose_stamped, as_vector, from_pose, header
from robodistill.ros.nodes.loaded import LoadedField
from robodistill.ros.settings import QueryNodeSettings


class QueryNode(BaseNode):
    """Words in, places out."""

    def __init__(self, **options: Any) -> None:
        super().__init__("query_node", **options)
        settings = self.settings(QueryNodeSettings)
        self._loaded = LoadedField(settings.teacher)
        self._found = self.create_publisher(PointCloud2, "~/found", 1)
        self.create_service(QueryField, "~/query", self._on_query, callback_group=self.group)
        self.create_service(EditField, "~/edit", self._on_edit, callback_group=self.group)
        self.create_service(UpdateScene, "~/update", self._on_update, callback_group=self.group)
        if settings.field:
            self.in_background(self._preload, settings.field)

    def _preload(self, path: str) -> None:
        self._loaded.open(path, "")
        self.get_logger().info(f"{path} is loaded: {len(self._loaded.field)} Gaussians")

    def _query(self, request: Any) -> tuple[Any, np.ndarray, np.ndarray, float]:
        if not request.text.strip():
            raise BadInput("the text is empty; a phrase such as 'red mug' is needed")
        loaded = self._loaded.open(request.field, self.get_parameter("field").value)
        start = time.perf_counter()
        found = loaded.querier(request.text)
        took = time.perf_counter() - start
        points = loaded.field.means[found.gaussians].detach().cpu().numpy()
        colors = sh0_to_rgb(loaded.field.sh[found.gaussians, 0].detach().cpu()).clamp(0, 1).numpy() * 255
        return found, points, colors.astype(np.uint8), took

    async def _on_query(self, request: Any, response: Any) -> Any:
        answer = await self.answer(response, self._query, request)
        if answer is None:
            return response
        found, points, colors, took = answer
        at = header(self.get_parameter("world_frame").value, self.get_clock().now().to_msg())
        response.found, response.score, response.seconds = bool(found.found), float(found.score), took
        response.message = found.reason
        if found.found:
            x, y, z = (float(v) for v in found.center)
            response.center = PointStamped(header=at, point=Point(x=x, y=y, z=z))
            response.box = as_pose_stamped(np.array(found.box.T_world_box), at)
            response.box_size = as_vector(found.box.size)
            cloud = as_cloud(points, colors, at)
            self._found.publish(cloud)
            if request.with_cloud:
                response.cloud = cloud
        return response

    def _edit(self, request: Any) -> Any:
        if not request.output:
            raise BadInput("no output: name the folder of the field to write")
        path = self._loaded.open("", self.get_parameter("field").value).path
        out, teacher = Path(request.output).expanduser(), self.get_parameter("teacher").value or None
        values = [float(value) for value in request.values]
        return out, edit_field(path, request.text, out, request.change, values, teacher, request.overwrite)

    def _update(self, request: Any) -> Any:
        if not request.output:
            raise BadInput("no output: name the folder of the field to write")
        path = self._loaded.open("", self.get_parameter("field").value).path
        out, teacher = Path(request.output).expanduser(), self.get_parameter("teacher").value or None
        views = Path(request.views).expanduser() if request.views else None
        T = from_pose(request.transform, "transform")
        with tempfile.TemporaryDirectory() as folder:
            given = None
            if request.moved and not (views is not None and np.array_equal(T, np.eye(4))):  # the views tell it
                given = Path(folder) / "transform.json"
                given.write_text(json.dumps(T.tolist()))
            return out, update_field(
                path, out, moved=request.moved or None, transform=given, views=views, teacher=teacher
            )

    async def _on_update(self, request: Any, response: Any) -> Any:
        answer = await self.answer(response, self._update, request)
        if answer is not None:
            out, updated = answer
            response.path, response.gaussians = str(out), updated.gaussians
            response.seconds = float(updated.seconds)
            response.message = f"{updated.moved} Gaussians moved, {updated.gone} went, {updated.added} came"
        return response

    async def _on_edit(self, request: Any, response: Any) -> Any:
        answer = await self.answer(response, self._edit, request)
        if answer is not None:
            out, edited = answer
            response.path, response.gaussians, response.message = str(out), edited.gaussians, edited.note
        return response


def main(args: list[str] | None = None) -> int:
    """Entry point."""
    return run_node(QueryNode, args)


if __name__ == "__main__":
    raise SystemExit(main())
