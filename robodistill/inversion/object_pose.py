"""Where is this object in a picture? Its pose without a guess, from colour alone, with a verified answer.

Coarse: its views from all around against the picture's foreground (`object_views`). Fine: outline and colours
(`object_fit`), many hypotheses in small, the best in full. At the end the picture is compared with what is drawn there,
and with what the next distinct hypothesis draws. What RSRD (Kerr et al., CoRL 2024) does for a video's first frame by
matching features and descending from some starts is done here without a teacher, for plain things too.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
import torch

from robodistill.capture.frame import Frame
from robodistill.errors import BadInput
from robodistill.field.gaussians import GaussianField
from robodistill.field.render import render
from robodistill.geometry.camera import Camera
from robodistill.inversion.align import align
from robodistill.inversion.estimate import PoseEstimate
from robodistill.inversion.foreground import change_from, color_space, foreground, matted, shaded_palette
from robodistill.inversion.minimal import Hypothesis
from robodistill.inversion.object_fit import Drawn, Sight, agreement, draw_object, fit_pose, likeness
from robodistill.inversion.object_views import find_windows, is_apart, make_object_views
from robodistill.inversion.views import Picture, ViewPose, as_picture
from robodistill.progress import Progress, silent

_VIEWS, _ROLLS = 162, 16
_HYPOTHESES, _CARRIED, _REFINED, _AGAIN = 160, 60, 8, 3  # as thin things have many nearly as good turned round
_COARSE = ((40, 4, 1.5, 0.8), (60, 3, 1.0, 0.5))  # diameter, pixels; steps; blur; what is forgiven
_FINE = ((90, 5, 1.5, 0.4), (160, 9, 1.0, 0.3))
_MOVED = 2.0  # of `foreground`, where colours alone find nothing: a thing much like what it stands on
_LEAST_GAUSSIANS = 30
_CERTAIN = 0.5
_DEPTH = 0.02  # relative difference of depth that is none
_THROUGH = 20.0  # of the rank, for a surface that depth is measured behind
_MARKS, _MOST_MARKS = 20.0, 0.02  # of the rank, for marks of another colour; share from which they may be a hand's
_OPTIMISM = 30.0  # squared errors over what independent residuals would give


@dataclass(frozen=True, eq=False)
class _Candidate:
    T_object_camera: np.ndarray
    information: np.ndarray
    evidence: dict[str, float]
    score: float


class ObjectFinder:
    """An object with its views, ready to be looked for."""

    def __init__(self, field: GaussianField, hypotheses: int = _HYPOTHESES) -> None:
        """Draw it from all around: about two seconds.

        Args:
            field: The Gaussians of one thing (`field.standing.standing_object`, or a selection by a phrase).
            hypotheses: That are refined in small.

        Raises:
            BadInput: Too few Gaussians to be a thing.
        """
        if len(field) < _LEAST_GAUSSIANS:
            raise BadInput(f"{len(field)} Gaussians are no object; at least {_LEAST_GAUSSIANS} are needed")
        self.field, self._hypotheses = field, hypotheses
        self.views = make_object_views(field, _VIEWS, _ROLLS)
        self._palette = shaded_palette(self.views.colors)

    def find(
        self,
        frames: Sequence[np.ndarray],
        camera: Camera,
        *,
        depth: np.ndarray | None = None,
        previous: Sequence[np.ndarray] = (),
        progress: Progress = silent,
    ) -> PoseEstimate:
        """The object's pose in the first frame.

        Args:
            frames: (H, W, 3) uint8 each. More than one are of a camera that stands still: what never changes is no
                object that is moved; some ten, spread over the time in which it moves, are enough.
            camera: Of all frames.
            depth: (H, W) metres of the first frame, 0 where nothing was measured; it makes the answer exact.
            previous: (4, 4) T_camera_object each, further hypotheses.
            progress: Of hypotheses.

        Returns:
            `T_camera_world` is T_camera_object, the field's own frame being the object's.
        """
        if not len(frames) or any(f.shape != (camera.height, camera.width, 3) for f in frames):
            raise BadInput(f"frames of {camera.width}x{camera.height} are needed, at least one, as the camera's")
        sight = self.sight(frames, camera)
        found = self.find_in(sight, depth, previous, progress)
        if found.converged:
            return found
        other = self.sight(frames, camera, _MOVED)
        if np.array_equal(other.chance, sight.chance):  # one frame, or frames that tell nothing of change
            return found
        return max(found, self.find_in(other, depth, previous, progress), key=lambda it: it.confidence)

    def find_in(
        self, sight: Sight, depth: np.ndarray | None, previous: Sequence[np.ndarray], progress: Progress
    ) -> PoseEstimate:
        """`find`, where it is known where in the picture the object may be."""
        start, camera = time.perf_counter(), sight.camera
        found = find_windows(self.views, color_space(sight.rgb), sight.chance, camera, self._hypotheses)
        found = [Hypothesis(np.linalg.inv(T), 0.0, "previous") for T in previous] + found
        small = []
        for k, hypothesis in enumerate(found):
            progress("hypotheses", k, len(found))
            small.append(self.refined(sight, hypothesis.T_world_camera, _COARSE[:1]))
        small = sorted(small, key=lambda c: -c.score)[:_CARRIED]
        rough = [self.refined(sight, c.T_object_camera, _COARSE[1:]) for c in small]
        best = self._distinct(rough, _REFINED)
        fine = self._distinct([self.refined(sight, c.T_object_camera, _FINE) for c in best], _REFINED)
        again = [self.refined(sight, c.T_object_camera, _FINE) for c in fine[:_AGAIN]]  # steps along distance are short
        fine = self._distinct([*again, *fine[_AGAIN:]], _REFINED)
        progress("hypotheses", len(found), len(found))
        if depth is not None:
            measured = Frame((255 * sight.rgb).round().astype(np.uint8), depth, camera, None)
            fine = self._distinct([self._measured(sight, measured, c) for c in fine], _REFINED)
        return self._answer(fine, camera, time.perf_counter() - start)

    def locate(self, frame: Frame, *, previous: np.ndarray | None = None, focal_known: bool = True) -> PoseEstimate:
        """As `Locator.locate`: the object in one picture, with its depth if there is any.

        Raises:
            BadInput: The focal length is not known; one object does not tell it.
        """
        if not focal_known:
            raise BadInput("the pose of one thing needs the focal length: its size in the picture says how far it is")
        known = () if previous is None else (np.linalg.inv(previous),)
        return self.find([frame.rgb], frame.camera, depth=frame.depth, previous=known)

    def sight(self, frames: Sequence[np.ndarray], camera: Camera, moved: float = 0.0) -> Sight:
        """The first frame, and where in it the object may be; `moved` is that of `foreground`."""
        change = change_from(frames)
        rgb = frames[0].astype(np.float32) / 255
        chance = foreground(color_space(frames[0]), self._palette, change, moved)
        return Sight(camera, rgb, matted(rgb, chance))

    def refined(self, sight: Sight, T_object_camera: np.ndarray, stages: Sequence[tuple]) -> _Candidate:
        """A hypothesis carried through some stages, and how it looks then."""
        T, views = T_object_camera, self.views
        for diameter, steps, blur, forgiving in stages:
            small = sight.resized(min(1.0, diameter / self._pixels(T, sight.camera)))
            fit = fit_pose(self.field, small, T, views.center, views.radius, steps, blur, forgiving)
            T = fit.T_object_camera
        evidence = agreement(draw_object(self.field, small.camera, T), small)
        return _Candidate(T, fit.information, evidence, rank(evidence))

    def _measured(self, sight: Sight, frame: Frame, candidate: _Candidate) -> _Candidate:
        """A candidate moved to where depth was measured, if that fits better; how much of its surface is there counts.

        On a small thing a texture that repeats, or light from elsewhere, can outweigh depth and lead away: it is also
        aligned by depth alone.
        """
        near, found = self._near(sight, frame), []
        for by_depth in (False, True):
            T = candidate.T_object_camera
            for _ in range(2):
                aligned = align(self._set_in(sight, T), near, T, by_depth=by_depth)
                T = aligned.T_world_camera
            found.append(self._judged(sight, frame, T, aligned.information))
        found.append(self._judged(sight, frame, candidate.T_object_camera, aligned.information))
        return max(found, key=lambda it: it.score)

    def _judged(self, sight: Sight, frame: Frame, T_object_camera: np.ndarray, information: np.ndarray) -> _Candidate:
        drawn = draw_object(self.field, frame.camera, T_object_camera)
        evidence = agreement(drawn, sight)
        seen = (drawn.alpha > 0.9) & (frame.depth > 0)
        near = np.abs(drawn.depth - frame.depth)[seen] < _DEPTH * frame.depth[seen]
        evidence["depth"] = float(near.mean()) if seen.sum() >= 20 else 0.0
        evidence["through"] = _through(drawn, frame)
        return _Candidate(T_object_camera, information, evidence, rank(evidence))

    @torch.no_grad()
    def _set_in(self, sight: Sight, T_object_camera: np.ndarray) -> Picture:
        """The thing as a pose shows it, before what the picture shows: its rim has the slopes that it has there."""
        seen = render(self.field, sight.camera, T_object_camera)
        behind = torch.from_numpy(sight.rgb) - torch.tensor(self.field.background)
        shown = replace(seen, rgb=seen.rgb + (1 - seen.alpha[..., None]) * behind)
        return as_picture(ViewPose(sight.camera, T_object_camera), shown)

    def _near(self, sight: Sight, frame: Frame) -> Frame:
        """The frame with what of its depth the thing is aligned to."""
        return frame

    def _pixels(self, T_object_camera: np.ndarray, camera: Camera) -> float:
        """Diameter in the picture."""
        away = float(np.linalg.norm(T_object_camera[:3, 3] - self.views.center))
        return max(2 * self.views.radius * camera.K[0, 0] / max(away, 1e-6), 8.0)

    def _distinct(self, candidates: list[_Candidate], most: int) -> list[_Candidate]:
        """The best, no two nearly alike."""
        kept: list[_Candidate] = []
        for c in sorted(candidates, key=lambda c: -c.score):
            if len(kept) < most and all(is_apart(c.T_object_camera, k.T_object_camera, self.views) for k in kept):
                kept.append(c)
        return kept

    def _answer(self, fine: list[_Candidate], camera: Camera, seconds: float) -> PoseEstimate:
        if not fine:
            return PoseEstimate(
                None, None, 0.0, False, "nothing in the picture looks like the object", camera.K, seconds=seconds
            )
        best = fine[0]
        margin = best.score - (fine[1].score if len(fine) > 1 else 0.0)
        evidence = best.evidence | {"margin": margin}
        chance = _confidence(evidence)
        covariance = _OPTIMISM * np.linalg.pinv(best.information, hermitian=True)
        reason = "" if chance >= _CERTAIN else _objection(evidence)
        return PoseEstimate(
            *(best.T_object_camera, covariance, chance, chance >= _CERTAIN, reason, camera.K, evidence),
            *("templates", seconds),
        )


def rank(evidence: dict[str, float]) -> float:
    """By which hypotheses are ranked: what speaks for one, without what no light explains."""
    return likeness(evidence) + evidence.get("depth", 0.0) - _against(evidence)


def _against(evidence: dict[str, float]) -> float:
    return _MARKS * min(evidence["contrary"], _MOST_MARKS) + _THROUGH * evidence.get("through", 0.0)


def _through(drawn: Drawn, frame: Frame) -> float:
    """Share of what is drawn that lies before what was measured, edges left out."""
    solid = (drawn.alpha > 0.5) & (frame.depth > 0)
    before = solid & (frame.depth - drawn.depth > _DEPTH * frame.depth)
    before = cv2.morphologyEx(before.astype(np.uint8), cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
    return float(before.sum() / max(solid.sum(), 1))


def find_object(
    field: GaussianField, frames: Sequence[np.ndarray], camera: Camera, progress: Progress = silent
) -> PoseEstimate:
    """`ObjectFinder.find`, once: where the object of a field is in the first of some frames; see there."""
    return ObjectFinder(field).find(frames, camera, progress=progress)


def _objection(evidence: dict[str, float]) -> str:
    if evidence["overlap"] < 0.5:
        return f"the outline fits to {100 * evidence['overlap']:.0f} % only"
    if evidence["margin"] < 0.05:
        return "it looks the same from another side"
    return "its colours do not fit well enough"


# Of a constant, overlap, color, structure, margin.
_WEIGHTS = (-9.8, 4.0, 3.0, 6.0, 8.0)
_MARGIN = 0.5  # from which more does not tell more: others may be worse still


def _confidence(evidence: dict[str, float]) -> float:
    """Chance that the pose is right."""
    margin = min(evidence["margin"], _MARGIN) - _against(evidence)
    known = np.array([1.0, *(evidence[name] for name in ("overlap", "color", "structure")), margin])
    return float(1 / (1 + np.exp(-np.clip(known @ np.array(_WEIGHTS), -30, 30))))
