"""`Locator`: a field made ready to tell where pictures of it were taken, without a guess.

Coarse: landmarks of many virtual views and whatever else proposes poses (`Proposer`); several hypotheses, each looked
at. Fine: draw, match, align, again; then down the rasteriser's gradient. At the end the answer is verified. What
differs from SPINE (Mei et al., 2025): nothing is trained for a scene, there is more than one hypothesis, depth is used
where there is any, the refinement is repeated, and a pose that the picture does not bear out is not given out as one.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from robodistill.capture.frame import Frame
from robodistill.capture.resize import limit_size
from robodistill.config import InversionConfig
from robodistill.field.gaussians import GaussianField
from robodistill.geometry.camera import Camera
from robodistill.inversion.align import align
from robodistill.inversion.descent import SeenFeatures, descend
from robodistill.inversion.estimate import PoseEstimate
from robodistill.inversion.landmarks import Keypoints, Matches, find_keypoints, make_landmarks, match_landmarks
from robodistill.inversion.minimal import Hypothesis, is_near, pose_hypotheses, score_poses
from robodistill.inversion.rendered_match import match_rendering
from robodistill.inversion.sparse import refine_pose
from robodistill.inversion.verify import Evidence, confidence, weigh
from robodistill.inversion.views import Picture, ViewPose, draw, extent, virtual_views
from robodistill.progress import Progress, silent

_ENOUGH = 0.8  # confidence from which no other hypothesis is tried
_CLEAR = 2.0  # score over the second best's from which hypotheses need no look to be ranked
_HOPELESS = 0.2  # structure after the first round below which there is no second
_REACH = 0.15  # of the picture's width, within which a match is looked for in a rendering
_FOCALS = np.geomspace(0.5, 2.0, 9)
_OPTIMISM = 200.0  # squared errors over what independent residuals would give, on tuning scenes


class Proposer(Protocol):
    """Something that has an idea where a picture may have been taken."""

    def propose(self, frame: Frame) -> list[Hypothesis]:
        """The best first."""


@dataclass(frozen=True, eq=False)
class _Candidate:
    T_world_camera: np.ndarray
    information: np.ndarray
    evidence: Evidence
    confidence: float
    camera: Camera
    source: str
    exposure: tuple[float, float]


class Locator:
    """A field with its landmarks. Preparing takes seconds, a picture one or two."""

    def __init__(
        self,
        field: GaussianField,
        config: InversionConfig,
        *,
        whole: bool = True,
        proposers: Sequence[Proposer] = (),
        features_of: Callable[[Frame], SeenFeatures] | None = None,
        use_matches: bool = True,
        progress: Progress = silent,
    ) -> None:
        """Draw the virtual views and find their landmarks.

        Args:
            whole: False for one thing cut out of a scene, which fills little of a picture.
            proposers: What else makes hypotheses.
            features_of: What a teacher sees in a frame, for the last steps.
            use_matches: False leaves the hypotheses to the proposers.
        """
        self.field, self.config, self._whole = field, config, whole
        self._proposers, self._use_matches, self._features_of = tuple(proposers), use_matches, features_of
        self._radius = extent(field)[1]
        self.views = list(virtual_views(field, config, whole))
        self._landmarks = make_landmarks(self._drawn(progress) if use_matches else (), config.view_keypoints)

    def _drawn(self, progress: Progress) -> Iterator[Picture]:
        for k, view in enumerate(self.views):
            progress("views", k, len(self.views))
            yield draw(self.field, view)
        progress("views", len(self.views), len(self.views))

    def locate(
        self,
        frame: Frame,
        *,
        previous: np.ndarray | None = None,
        focal_known: bool = True,
    ) -> PoseEstimate:
        """Where was this frame taken? Its own `T_world_camera` is not looked at.

        Args:
            frame: Colour, and depth if there is any.
            previous: (4, 4) T_world_camera of the frame before, as one more hypothesis.
            focal_known: False looks for the focal length too, from half to twice that of the frame's camera.
        """
        start = time.perf_counter()
        given, frame = frame.camera, limit_size(frame, self.config.max_side)
        found = find_keypoints(frame.rgb, self.config.keypoints)
        features = None if self._features_of is None else self._features_of(frame)
        best: _Candidate | None = None
        hypotheses = self._hypotheses(frame, found, previous, focal_known)
        for hypothesis in hypotheses[: self.config.refined]:
            candidate = self._refined(frame, found, hypothesis, focal_known, features)
            if best is None or candidate.confidence > best.confidence:
                best = candidate
            if best.confidence >= _ENOUGH:
                break
        return self._answer(best, given, frame, time.perf_counter() - start)

    def locate_stream(self, frames: Iterable[Frame], **options: bool) -> Iterator[PoseEstimate]:
        """`locate` frame after frame, each answer that converged a hypothesis for the next."""
        previous = None
        for frame in frames:
            estimate = self.locate(frame, previous=previous, **options)
            previous = estimate.T_world_camera if estimate.converged else None
            yield estimate

    def _hypotheses(
        self, frame: Frame, found: Keypoints, previous: np.ndarray | None, focal_known: bool
    ) -> list[Hypothesis]:
        made = [] if previous is None else [Hypothesis(previous, 0.0, "previous")]
        for proposer in self._proposers:
            made += proposer.propose(frame)
        if self._use_matches:
            matches = self._matches(frame, found)
            made += self._by_matches(matches, frame.camera.K) if focal_known else self._by_focals(matches, frame.camera)
        made = made[: 3 * self.config.hypotheses]
        known = sorted((h.score for h in made), reverse=True)
        if len(made) > 1 and (any(h.score == 0 for h in made) or known[0] < _CLEAR * known[1]):
            made = self._looked_at(made, frame)
        kept: list[Hypothesis] = []
        for hypothesis in made:
            if not any(is_near(hypothesis.T_world_camera, k.T_world_camera, np.zeros((0, 3))) for k in kept):
                kept.append(hypothesis)
        return kept[: self.config.hypotheses]

    def _matches(self, frame: Frame, found: Keypoints) -> Matches:
        apart = self.config.apart * self._radius
        return match_landmarks(found, self._landmarks, self.config.ratio, apart, frame.depth, frame.camera.K)

    def _by_matches(self, matches: Matches, K: np.ndarray) -> list[Hypothesis]:
        config, random = self.config, np.random.default_rng(self.config.seed)
        return pose_hypotheses(matches, K, config.samples, config.hypotheses, config.pixel_error, random)

    def _by_focals(self, matches: Matches, camera: Camera) -> list[Hypothesis]:
        """The best poses over a row of focal lengths, each then refined together with its own."""
        config, made = self.config, []
        # what depth puts in the camera hangs on the focal length: it has to wait
        matches = replace(matches, measured=None)
        for factor in _FOCALS:
            K = with_focal(camera, factor).K
            random = np.random.default_rng(config.seed)
            for h in pose_hypotheses(matches, K, config.samples // 3, 2, 2 * config.pixel_error, random):
                fit = refine_pose(matches, h.T_world_camera, K, 2 * config.pixel_error, with_focal=True)
                found = factor * fit.focal
                if not 0.7 * _FOCALS[0] < found < 1.4 * _FOCALS[-1]:
                    continue
                K_found = with_focal(camera, found).K
                score = score_poses(fit.T_world_camera[None], matches, K_found, config.pixel_error)[0]
                made.append(Hypothesis(fit.T_world_camera, float(score), "matches", found))
        return sorted(made, key=lambda h: -h.score)[: config.hypotheses]

    def _looked_at(self, made: list[Hypothesis], frame: Frame) -> list[Hypothesis]:
        """Hypotheses by how much the field drawn from there, small, looks like the frame."""
        small = limit_size(frame, self.config.max_side // 2)
        values = []
        for h in made:
            picture = draw(self.field, ViewPose(with_focal(small.camera, h.focal), h.T_world_camera))
            seen = weigh(picture, small, 0, 0)
            values.append(seen.structure + max(seen.depth, 0) + 0.1 * np.log1p(h.score) + 0.2 * seen.coverage)
        return [made[k] for k in np.argsort(values)[::-1]]

    def _refined(
        self, frame: Frame, found: Keypoints, start: Hypothesis, focal_known: bool, features: SeenFeatures | None
    ) -> _Candidate:
        config, T = self.config, start.T_world_camera
        frame = replace(frame, camera=with_focal(frame.camera, start.focal))
        for k in range(config.rounds):
            picture = draw(self.field, ViewPose(frame.camera, T))
            if k == 0:
                T = self._matched(frame, found, picture, start)
            elif (evidence := weigh(picture, frame, 0.0, 0.0)).structure < _HOPELESS:
                break
            aligned = align(picture, frame, T, with_focal=not focal_known)
            T = aligned.T_world_camera
            if not focal_known:
                frame = replace(frame, camera=with_focal(frame.camera, aligned.focal))
        else:
            T = descend(self.field, frame, T, config.descents, features) if config.descents else T
            evidence = self._evidence(frame, found, T)
        exposure = (aligned.gain, aligned.offset)
        return _Candidate(T, aligned.information, evidence, confidence(evidence), frame.camera, start.source, exposure)

    def _matched(self, frame: Frame, found: Keypoints, picture: Picture, start: Hypothesis) -> np.ndarray:
        """The pose by matches with the field as drawn at the hypothesis; the hypothesis where there are too few."""
        config, K = self.config, frame.camera.K
        coarse = start.source != "matches"
        reach = np.inf if coarse else _REACH * frame.camera.width
        matches = match_rendering(found, picture, reach, config.keypoints, frame.depth, K)
        T = start.T_world_camera
        if coarse:
            random = np.random.default_rng(config.seed)
            best = pose_hypotheses(matches, K, config.samples // 2, 1, config.pixel_error, random)
            return best[0].T_world_camera if best else T
        for slack in (4.0, 1.0) if len(matches) >= 6 else ():
            T = refine_pose(matches, T, K, slack * config.pixel_error).T_world_camera
        return T

    def _evidence(self, frame: Frame, found: Keypoints, T_world_camera: np.ndarray) -> Evidence:
        """What speaks for a pose: the field is drawn there once more."""
        K = frame.camera.K
        picture = draw(self.field, ViewPose(frame.camera, T_world_camera))
        reach = _REACH * frame.camera.width
        matches = match_rendering(found, picture, reach, self.config.keypoints, None, K)
        if not len(matches):
            return weigh(picture, frame, 0.0, 0.0)
        fits = refine_pose(matches, T_world_camera, K, self.config.pixel_error, rounds=1).inliers
        return weigh(picture, frame, float(fits.sum()), float(fits.mean()))

    def _answer(self, best: _Candidate | None, given: Camera, frame: Frame, seconds: float) -> PoseEstimate:
        if best is None:
            return PoseEstimate(
                None, None, 0.0, False, "nothing in the picture was recognised", given.K, seconds=seconds
            )
        covariance = _OPTIMISM * np.linalg.pinv(best.information, hermitian=True)
        converged = best.confidence >= self.config.certain
        reason = "" if converged else _objection(best.evidence)
        factor = best.camera.K[0, 0] / frame.camera.K[0, 0]
        facts = best.evidence.as_dict() | {"gain": best.exposure[0], "offset": best.exposure[1]}
        K = with_focal(given, factor).K
        return PoseEstimate(
            *(best.T_world_camera, covariance, best.confidence, converged, reason, K, facts, best.source, seconds)
        )


def _objection(evidence: Evidence) -> str:
    """What speaks most against a pose, in words."""
    if evidence.coverage < 0.05:
        return "the best pose looks past the field"
    if evidence.matches < 8:
        return f"only {evidence.matches:.0f} matches fit the best pose"
    if 0 <= evidence.depth < 0.5:
        return f"at the best pose the depth fits in {100 * evidence.depth:.0f} % of the picture only"
    return f"at the best pose {100 * (1 - evidence.alike):.0f} % of what has structure looks different"


def with_focal(camera: Camera, factor: float) -> Camera:
    """The camera with its focal lengths times a factor."""
    return camera if factor == 1 else Camera(camera.K * _focal(factor), camera.width, camera.height)


def _focal(factor: float) -> np.ndarray:
    return np.array([[factor, factor, 1], [factor, factor, 1], [1, 1, 1]])
