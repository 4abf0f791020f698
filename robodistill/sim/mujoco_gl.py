"""The one place where MuJoCo and its offscreen drawing are loaded; nothing else in the package imports them."""

import os
import sys
from ctypes.util import find_library
from types import ModuleType

from robodistill.errors import MissingPart

_HINT = (
    "simulation draws with MuJoCo: pip install robodistill[sim]; on Debian or Ubuntu also "
    "apt install libegl1 libegl-mesa0 libgl1-mesa-dri (or libosmesa6)"
)


def load_mujoco() -> ModuleType:
    """`mujoco`, set to draw without a display: MUJOCO_GL if given, else EGL, else OSMesa.

    Raises:
        MissingPart: It is not installed or cannot be loaded.
    """
    if sys.platform == "linux" and not os.environ.get("MUJOCO_GL"):
        only_osmesa = find_library("OSMesa") and not find_library("EGL")
        os.environ["MUJOCO_GL"] = "osmesa" if only_osmesa else "egl"  # read when mujoco is imported
    try:
        import mujoco
    except (ImportError, AttributeError, OSError, RuntimeError) as error:  # PyOpenGL misses a library by AttributeError
        raise MissingPart(f"{_HINT}; loading it failed: {error}") from error
    return mujoco


def open_context(model: object, width: int, height: int) -> tuple[object, object]:
    """A current GL context and MuJoCo's drawing context in it, for images up to this size.

    Raises:
        MissingPart: Nothing on this machine can draw.
    """
    mujoco = load_mujoco()
    backend = os.environ.get("MUJOCO_GL", "")
    try:  # by name, because mujoco.GLContext is a window if the program imported mujoco before us
        if backend == "egl":
            from mujoco.egl import GLContext
        elif backend == "osmesa":
            from mujoco.osmesa import GLContext
        else:
            from mujoco import GLContext
        context = GLContext(width, height)
        context.make_current()
        return context, mujoco.MjrContext(model, mujoco.mjtFontScale.mjFONTSCALE_50)
    except Exception as error:  # every back end has exceptions of its own
        raise MissingPart(f"{_HINT}; MUJOCO_GL={backend} cannot draw here: {error}") from error
