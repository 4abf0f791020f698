"""`TableFinder`: an object that stands on a known table, seen by a camera whose place is known.

`ObjectFinder`, begun from hypotheses that stand (`upright`). Where depth was measured they are aligned to it at once:
outlines, which shadows and plain colours blur, would lead some of them away first. What is found may lean; that it does
not is evidence. Only where nothing that stands fits well is the object looked for in any pose.
"""

import time
from dataclasses import replace

import numpy as np

from robodistill.capture.frame import Frame
from robodistill.inversion.estimate import PoseEstimate
from robodistill.inversion.foreground import matted
from robodistill.inversion.object_fit import Sight
from robodistill.inversion.object_pose import ObjectFinder, rank
from robodistill.inversion.upright import Standing, measured_chance, upright_hypotheses
from robodistill.progress import Progress, silent

_UPRIGHT, _FREE = 5, 6  # hypotheses: standing, and of any pose
_KEPT = 4  # of those that stand and are looked at in full
_STAY = ((40, 0, 1.5, 0.8),)  # no step: a pose as it is
_COARSE = ((40, 4, 1.5, 0.8), (60, 3, 1.0, 0.5))  # as in `object_pose`
_FINE = ((90, 5, 1.5, 0.4), (160, 9, 1.0, 0.3))
_OUTLINED = 0.8  # overlap below which outlines may help where depth did not
_MEASURED = 0.8  # share of its depth that must be where it was measured


class TableFinder(ObjectFinder):
    """An object with its views and its foot, ready to be looked for."""

    def __init__(self, standing: Standing) -> None:
        """Draw it from all around.

        Raises:
            BadInput: Too few Gaussians to be a thing.
        """
        super().__init__(standing.field, _FREE)
        self.standing = standing

    def find_standing(
        self, frame: Frame, T_world_camera: np.ndarray, table: float = 0.0, progress: Progress = silent
    ) -> PoseEstimate:
        """Its pose in a frame, whose depth is used where it has any.

        Args:
            T_world_camera: (4, 4), z of the world is up.
            table: Height, metres.
        """
        start = time.perf_counter()
        sight = self.sight([frame.rgb], frame.camera)
        if frame.depth is not None:
            chance = measured_chance(self.standing, frame, sight.chance, T_world_camera, table)
            sight = replace(sight, chance=matted(sight.rgb, chance))
        known = upright_hypotheses(self.standing, frame, sight, T_world_camera, table, _UPRIGHT)
        tried = []
        for k, T in enumerate(known):
            progress("standing", k, len(known))
            again = self.refined(sight, np.linalg.inv(T), _COARSE)
            stood = self.standing.placed(
                *self.standing.seat(T_world_camera @ np.linalg.inv(again.T_object_camera)), table
            )
            T_object_camera = np.linalg.inv(stood) @ T_world_camera
            if frame.depth is None:
                tried.append(self.refined(sight, T_object_camera, _STAY))
            else:
                both = (self.refined(sight, it, _STAY) for it in (np.linalg.inv(T), T_object_camera))
                tried += [self._measured(sight, frame, it) for it in both]
        progress("standing", len(known), len(known))
        best = self._distinct(tried, _KEPT)
        if frame.depth is None:
            best = self._distinct([self.refined(sight, it.T_object_camera, _FINE) for it in best], _KEPT)
        elif best and best[0].evidence["overlap"] < _OUTLINED:
            fine = [self.refined(sight, it.T_object_camera, _FINE) for it in best]
            best = self._distinct([*best, *(self._measured(sight, frame, it) for it in fine)], _KEPT)
        found = self._answer(best, frame.camera, time.perf_counter() - start)
        if found.converged and found.evidence.get("depth", 1.0) > _MEASURED:
            return found
        free = self.find_in(sight, frame.depth, (), progress)
        answers = [it for it in (found, free) if it.T_world_camera is not None]
        return max(answers, key=lambda it: rank(it.evidence), default=found)

    def _near(self, sight: Sight, frame: Frame) -> Frame:
        """Without the table: a low thing would slide along it."""
        return replace(frame, depth=np.where(sight.chance > 0.5, frame.depth, 0).astype(np.float32))
