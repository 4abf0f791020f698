"""Colour, depth and segmentation of a MuJoCo scene, exact at pixel centres and consistent with each other.

Depth and segmentation come from one unfiltered image. Colour is the mean of four images whose sampling point and key
light are shifted: the first antialiases (a rotated grid, as graphics cards use), the second makes shadows soft.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from robodistill.geometry.camera import FLIP_YZ, Camera
from robodistill.sim.mujoco_gl import load_mujoco, open_context
from robodistill.sim.world import TOUCH_GROUP

_SHIFTS = ((-0.125, -0.375), (0.375, -0.125), (-0.375, 0.125), (0.125, 0.375))  # pixels
_LIGHT_SPREAD = 0.07  # rad, radius of the key light as seen from the table


class Painter:
    """Draws a model with a pinhole camera. A context manager; one GL context for its lifetime."""

    def __init__(self, model: object, camera: Camera):
        """Open a context.

        Raises:
            MissingPart: Nothing on this machine can draw.
        """
        self._mj = mj = load_mujoco()
        self._model, self._camera = model, camera
        model.vis.global_.offwidth, model.vis.global_.offheight = camera.width, camera.height
        model.cam_fovy[0] = np.degrees(2 * np.arctan(0.5 * camera.height / camera.K[1, 1]))
        self._gl, self._context = open_context(model, camera.width, camera.height)
        mj.mjr_setBuffer(mj.mjtFramebuffer.mjFB_OFFSCREEN, self._context)
        self._context.readDepthMap = mj.mjtDepthMap.mjDEPTH_ZEROFAR
        self._scene = mj.MjvScene(model, maxgeom=model.ngeom + 100)
        self._option = mj.MjvOption()
        self._option.geomgroup[TOUCH_GROUP] = 0
        self._view = mj.MjvCamera()
        self._view.type, self._view.fixedcamid = mj.mjtCamera.mjCAMERA_FIXED, 0
        for flag in (mj.mjtRndFlag.mjRND_REFLECTION, mj.mjtRndFlag.mjRND_SKYBOX, mj.mjtRndFlag.mjRND_HAZE):
            self._scene.flags[flag] = False

    def __enter__(self) -> "Painter":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Free the context."""
        self._context.free()
        self._gl.free()

    def look(self, data: object, T_world_camera: np.ndarray) -> None:
        """Take the state of the scene and stand here: what the next pictures show."""
        T = T_world_camera @ FLIP_YZ  # MuJoCo's cameras are OpenGL's
        data.cam_xpos[0], data.cam_xmat[0] = T[:3, 3], T[:3, :3].ravel()
        mj = self._mj
        mj.mjv_updateScene(self._model, data, self._option, None, self._view, mj.mjtCatBit.mjCAT_ALL, self._scene)

    def color(self) -> np.ndarray:
        """(H, W, 3) uint8."""
        total = np.zeros((self._camera.height, self._camera.width, 3), np.float32)
        key = self._key_light()
        direction = np.array(key.dir) if key else None
        for shift in _SHIFTS:
            with _shifted(self._scene, shift, self._camera.height):
                if key:
                    key.dir = _tilted(direction, 2 * _LIGHT_SPREAD * np.array([shift[1], -shift[0]]))
                total += self._draw()[0]
        if key:
            key.dir = direction
        return np.rint(total / len(_SHIFTS)).astype(np.uint8)

    def depth_and_geoms(self) -> tuple[np.ndarray, np.ndarray]:
        """What is at the centre of each pixel.

        Returns:
            (H, W) float32 depth along the optical axis, metres, 0 where nothing is hit; (H, W) int32 geom id, -1 there.
        """
        flags = (self._mj.mjtRndFlag.mjRND_SEGMENT, self._mj.mjtRndFlag.mjRND_IDCOLOR)
        for flag in flags:
            self._scene.flags[flag] = True
        rgb, rect = self._draw()
        raw = np.empty(rgb.shape[:2], np.float32)
        self._mj.mjr_readPixels(None, raw, rect, self._context)
        raw = raw[::-1]
        for flag in flags:
            self._scene.flags[flag] = False
        near, far = (getattr(self._model.vis.map, name) * self._model.stat.extent for name in ("znear", "zfar"))
        z = near * far / (near + raw.astype(np.float64) * (far - near))  # the buffer holds 1 at `near` and 0 at `far`
        code = rgb.astype(np.int32)
        segment = code[..., 0] + (code[..., 1] << 8) + (code[..., 2] << 16)
        lookup = np.full(self._scene.ngeom + 1, -1, np.int32)
        for geom in self._scene.geoms[: self._scene.ngeom]:
            if geom.segid >= 0 and geom.objtype == self._mj.mjtObj.mjOBJ_GEOM:
                lookup[geom.segid + 1] = geom.objid
        return np.where(raw > 0, z, 0).astype(np.float32), lookup[segment]

    def _draw(self) -> tuple[np.ndarray, object]:
        """(H, W, 3) uint8 of one pass, and the rectangle that its depth can be read from."""
        rect = self._mj.MjrRect(0, 0, self._camera.width, self._camera.height)
        image = np.empty((rect.height, rect.width, 3), np.uint8)
        self._mj.mjr_render(rect, self._scene, self._context)
        self._mj.mjr_readPixels(image, None, rect, self._context)
        return image[::-1], rect

    def _key_light(self) -> object | None:
        lights = (self._scene.lights[k] for k in range(self._scene.nlight))
        return next((light for light in lights if light.castshadow), None)


@contextmanager
def _shifted(scene: object, shift: tuple[float, float], height: int) -> Iterator[None]:
    """While open, every pixel of the scene is sampled this many pixels beside its centre."""
    kept = [(camera.frustum_center, camera.frustum_bottom, camera.frustum_top) for camera in scene.camera]
    for camera, (center, bottom, top) in zip(scene.camera, kept, strict=True):
        pixel = (top - bottom) / height
        camera.frustum_center = center + shift[0] * pixel
        camera.frustum_bottom, camera.frustum_top = bottom + shift[1] * pixel, top + shift[1] * pixel
    yield
    for camera, values in zip(scene.camera, kept, strict=True):
        camera.frustum_center, camera.frustum_bottom, camera.frustum_top = values


def _tilted(direction: np.ndarray, angles: np.ndarray) -> np.ndarray:
    """A unit vector turned a little about two directions across it."""
    across = np.cross(direction, [0.0, 1.0, 0.0] if abs(direction[1]) < 0.9 else [1.0, 0.0, 0.0])
    across /= np.linalg.norm(across)
    turned = direction + angles[0] * across + angles[1] * np.cross(direction, across)
    return turned / np.linalg.norm(turned)
