"""The same settled scene with one object put elsewhere on the table: the truth that scene updates are judged by."""

import copy
from dataclasses import replace

import numpy as np
from scipy.spatial.transform import Rotation

from robodistill.errors import BadInput
from robodistill.sim.mujoco_gl import load_mujoco
from robodistill.sim.scene import Scene

_PLACES = 200  # that are tried
_REACH = (0.24, 0.19)  # metres from the table's middle
_FARTHEST = 0.25  # metres that the thing goes at most


def scene_moved(scene: Scene, object_id: int, seed: int = 0) -> tuple[Scene, np.ndarray]:
    """Slide a labelled object over the table to a free place and turn it; nothing else moves.

    Args:
        object_id: Its value in `masks/`.

    Returns:
        The scene, and (4, 4) T_world_world of the motion.

    Raises:
        BadInput: No object has this id, or no free place was found.
    """
    index = next((k for k, it in enumerate(scene.objects) if it.id == object_id), None)
    if index is None:
        ids = ", ".join(str(it.id) for it in scene.objects)
        raise BadInput(f"no object {object_id} in this scene; there are {ids}")
    mujoco, rng = load_mujoco(), np.random.default_rng(seed)
    body = scene.model.geom_bodyid[int(np.flatnonzero(scene.to_object == object_id)[0])]
    first = scene.model.jnt_qposadr[scene.model.body_jntadr[body]]
    start = scene.data.qpos[first : first + 7].copy()
    data = copy.copy(scene.data)
    for _ in range(_PLACES):
        turn = Rotation.from_euler("z", rng.uniform(-np.pi, np.pi))
        place = np.array([*(rng.uniform(-1, 1, 2) * _REACH), start[2] + 0.002])
        if not 0.08 < np.linalg.norm(place[:2] - start[:2]) < _FARTHEST:
            continue
        data.qpos[first : first + 3] = place
        turned = turn * Rotation.from_quat(start[3:], scalar_first=True)
        data.qpos[first + 3 : first + 7] = turned.as_quat(scalar_first=True)
        mujoco.mj_forward(scene.model, data)
        if (scene.model.geom_bodyid[data.contact.geom] == body).any():
            continue
        data.qpos[first + 2] = start[2]
        mujoco.mj_forward(scene.model, data)
        T = np.eye(4)
        T[:3, :3] = turn.as_matrix()
        T[:3, 3] = data.qpos[first : first + 3] - turn.apply(start[:3])
        objects = list(scene.objects)
        objects[index] = replace(objects[index], T_world_object=T @ objects[index].T_world_object)
        return replace(scene, data=data, objects=tuple(objects)), T
    raise BadInput(f"object {object_id} fits nowhere else on this table; choose another")
