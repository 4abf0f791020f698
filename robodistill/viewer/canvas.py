"""Gaussians in one browser: as splats that it draws itself, or as pictures drawn here while it looks around.

A browser with a graphics card draws splats at the rate of its screen. One without takes seconds for each picture of a
hundred thousand, while the rasteriser here takes a tenth of one; so the first picture always comes from here, a probe
tells what the browser can do, and what suits it follows. Splats have no colour that depends on the view; pictures do.
"""

import logging
import threading
import time
from dataclasses import replace
from typing import Any, Literal

import numpy as np
import torch

from robodistill.field.gaussians import GaussianField
from robodistill.field.render import render
from robodistill.geometry.camera import Camera
from robodistill.report.pictures import rgb_picture
from robodistill.viewer.cameras import browser_camera, wxyz_xyz
from robodistill.viewer.splats import Layer, one_field

log = logging.getLogger(__name__)

DrawnBy = Literal["auto", "browser", "server"]
_SIDES = (480, 1024)  # pixels of a picture's longer side while the camera moves, and at rest
_REST = 0.5  # seconds without a change: the first picture is to be seen before the second takes its time
_UNIT = 100.0
"""Browsers keep covariances in half precision, which has no room for square millimetres in metres: they get
centimetres, and a node that is a hundredth in size."""
_PROBES = ((200, 0.06), (2000, 0.25))
"""Large splats, and seconds for them above what an empty picture takes; a graphics card needs a tenth of these."""
_FAR = 150.0  # metres, for pixels that show nothing; the format ends at 167


class Canvas:
    """The layers of Gaussians that one browser (viser's client handle) shows."""

    def __init__(self, client: Any, drawn_by: DrawnBy) -> None:
        self._client, self._lock = client, threading.RLock()
        self._drawn = threading.Condition(self._lock)
        self._version, self._drawn_version = 0, 0  # of the layers: now, and in the last picture
        self._layers: dict[str, Layer] = {}
        self._hidden: set[str] = set()
        self._nodes: dict[str, Any] = {}
        self._whole: GaussianField | None = None
        self._by_server, self._closed, self._dirty = drawn_by != "browser", False, threading.Event()
        self._probing = drawn_by == "auto"
        if self._by_server:
            client.camera.on_update(lambda _: self._dirty.set())
            threading.Thread(target=self._paint_always, name="viewer: pictures", daemon=True).start()

    @property
    def by_server(self) -> bool:
        """Pictures come from here."""
        return self._by_server

    def close(self) -> None:
        """The browser is gone."""
        self._closed = True
        self._dirty.set()

    def show(self, name: str, layer: Layer) -> None:
        """Show a layer, new or in place of the one of that name."""
        with self._lock:
            self._layers[name] = layer
            if not self._by_server:
                self._send(name)
            self._changed()

    def move(self, poses: dict[str, np.ndarray]) -> None:
        """Pose layers anew, all at once: T_world_layer (4, 4) by name."""
        with self._lock, self._client.atomic():
            for name, T in poses.items():
                self._layers[name] = replace(self._layers[name], T_world_layer=T)
                if name in self._nodes:
                    self._nodes[name].wxyz, self._nodes[name].position = wxyz_xyz(T)
            self._changed()

    def set_visible(self, name: str, visible: bool) -> None:
        """Hide a layer or show it again."""
        with self._lock:
            (self._hidden.discard if visible else self._hidden.add)(name)
            if name in self._nodes:
                self._nodes[name].visible = visible
            self._changed()

    def remove(self, name: str) -> None:
        """Take a layer away; one that is not there is no error."""
        with self._lock:
            self._layers.pop(name, None)
            self._hidden.discard(name)
            if name in self._nodes:
                self._nodes.pop(name).remove()
            self._changed()

    def whole(self) -> GaussianField | None:
        """All that is visible in one field; None where nothing is."""
        with self._lock:
            if self._whole is None:
                shown = [layer for name, layer in self._layers.items() if name not in self._hidden]
                self._whole = one_field(shown) if shown else None
            return self._whole

    def wait_drawn(self, seconds: float = 2.0) -> None:
        """Until a picture of what is shown now is on its way, so that what follows comes after it."""
        with self._drawn:
            newest = self._version
            self._drawn.wait_for(lambda: self._drawn_version >= newest or self._closed or not self._by_server, seconds)

    def photograph(self, camera: Camera, T_world_camera: np.ndarray) -> np.ndarray:
        """(H, W, 3) uint8 RGB of the page's scene from a camera with its principal point in the middle."""
        wxyz, position = wxyz_xyz(T_world_camera)
        at = {"wxyz": wxyz, "position": position, "fov": 2 * float(np.arctan(camera.height / 2 / camera.K[1, 1]))}
        if not self._by_server:
            return self._client.get_render(camera.height, camera.width, **at, timeout=60)
        with self._lock:  # the scene's picture from here, and over it what only the browser has
            self._client.scene.set_background_image(None)
            over = self._client.get_render(camera.height, camera.width, **at, transport_format="png", timeout=60)
            self._dirty.set()
        alpha = over[..., 3:] / 255.0
        return (alpha * over[..., :3] + (1 - alpha) * self._picture(camera, T_world_camera)[0]).round().astype(np.uint8)

    def _changed(self) -> None:
        self._whole = None
        self._version += 1
        self._dirty.set()

    def _send(self, name: str) -> None:
        layer = self._layers[name]
        node = self._nodes.get(name)
        if node is not None and len(node.buffer) == len(layer.field):
            arrays = (layer.field.means.numpy() * _UNIT, layer.covariances * _UNIT**2, layer.rgbs)
            node.set_gaussians(*arrays, layer.field.opacities.numpy()[:, None])
            return
        if node is not None:
            node.remove()
        wxyz, position = wxyz_xyz(np.eye(4) if layer.T_world_layer is None else layer.T_world_layer)
        self._nodes[name] = self._client.scene.add_gaussian_splats(
            f"/{name}",
            *(layer.field.means.numpy() * _UNIT, layer.covariances * _UNIT**2, layer.rgbs),
            layer.field.opacities.numpy()[:, None],
            scale=1 / _UNIT,
            wxyz=wxyz,
            position=position,
            visible=name not in self._hidden,
        )

    def _paint_always(self) -> None:
        while not self._closed and self._by_server:
            self._dirty.wait()
            for side in _SIDES:
                self._dirty.clear()
                if self._closed or not self._by_server:
                    return
                try:
                    self._paint(side)
                except Exception:
                    log.exception("a picture could not be drawn")
                if self._probing and self._layers:
                    self._probing = False
                    threading.Thread(target=self._probe, name="viewer: probe", daemon=True).start()
                if self._dirty.wait(_REST):
                    break

    def _paint(self, side: int) -> None:
        camera, T = browser_camera(self._client.camera, side)
        version = self._version
        picture, depth = self._picture(camera, T)
        with self._drawn:
            if self._by_server and not self._closed:
                self._client.scene.set_background_image(picture, "jpeg", jpeg_quality=90, depth=depth)
                self._client.flush()
            self._drawn_version = version
            self._drawn.notify_all()

    @torch.no_grad()
    def _picture(self, camera: Camera, T_world_camera: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        field = self.whole()
        if field is None:
            return np.full((camera.height, camera.width, 3), 255, np.uint8), np.full(
                (camera.height, camera.width), _FAR
            )
        seen = render(field, camera, T_world_camera)
        return rgb_picture(seen.rgb.numpy()), torch.where(seen.depth > 0, seen.depth, _FAR).numpy()

    def _probe(self) -> None:
        """Time large splats, out of sight; a browser that is quick takes over.

        Few at first, for who draws by software is not to be held up; then as many as no busy moment hides.
        """
        try:
            quick = all(self._extra(count) < seconds for count, seconds in _PROBES)
        except (RuntimeError, TimeoutError):  # gone, or so slow that it is none for splats
            return
        if quick:
            with self._lock:
                for name in self._layers:
                    self._send(name)
                self._by_server = False
                self._client.scene.set_background_image(None)
            self._dirty.set()

    def _extra(self, count: int) -> float:
        """Seconds that a browser takes for a picture with that many large splats, above those for an empty one."""
        at = {"wxyz": (1.0, 0.0, 0.0, 0.0), "position": (0.0, 0.0, 400.0), "fov": 1.0, "timeout": 30}
        self._timed(at)
        empty = min(self._timed(at) for _ in range(2))
        places = np.array([0.0, 0.0, 410.0]) + np.random.default_rng(0).normal(0, 0.1, (count, 3))
        shapes = np.tile(np.eye(3) * 9.0, (count, 1, 1))
        colors, opacities = np.full((count, 3), 0.5), np.full((count, 1), 0.05)
        node = self._client.scene.add_gaussian_splats("/probe", places, shapes, colors, opacities)
        try:
            self._timed(at)  # compiles shaders
            full = min(self._timed(at) for _ in range(2))
        finally:
            node.remove()
        log.info("a browser takes %.0f ms for %d splats, %.0f ms for none", 1000 * full, count, 1000 * empty)
        return full - empty

    def _timed(self, at: dict) -> float:
        start = time.perf_counter()
        self._client.get_render(256, 256, **at)
        return time.perf_counter() - start
