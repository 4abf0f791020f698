"""The same settled scene with one object taken away: the truth that edits of a field are judged by."""

import copy
from dataclasses import replace

import numpy as np

from robodistill.errors import BadInput
from robodistill.sim.mujoco_gl import load_mujoco
from robodistill.sim.scene import Scene

_AWAY = (0.0, 0.0, -100.0)  # metres; below the floor, where neither it nor its shadow is seen


def scene_without(scene: Scene, object_id: int) -> Scene:
    """Take a labelled object out of a scene; nothing else moves, even what lay on it. The given scene stays as it is.

    Args:
        object_id: Its value in `masks/`.

    Raises:
        BadInput: No object has this id.
    """
    ids = [it.id for it in scene.objects]
    if object_id not in ids:
        raise BadInput(f"no object {object_id} in this scene; there are {', '.join(map(str, ids))}")
    geom = int(np.flatnonzero(scene.to_object == object_id)[0])
    body = scene.model.geom_bodyid[geom]
    joint = scene.model.jnt_qposadr[scene.model.body_jntadr[body]]
    data = copy.copy(scene.data)
    data.qpos[joint : joint + 3] = _AWAY
    load_mujoco().mj_forward(scene.model, data)  # poses anew, without a step of time
    return replace(scene, data=data, objects=tuple(it for it in scene.objects if it.id != object_id))
