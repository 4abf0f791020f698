"""Follow the parts from frame to frame: predict, look around, descend; each frame against the scan, so nothing drifts.

The job of RSRD's 4D-DPM (Kerr et al., "Robot See Robot Do", CoRL 2024), whose own way is `rsrd`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.spatial.transform import Rotation

from robodistill.config import TrackingConfig
from robodistill.errors import HonestNo
from robodistill.geometry.camera import Camera
from robodistill.parallel import side_by_side
from robodistill.progress import Progress, silent
from robodistill.tracking.articulation import Articulation, FreeParts, Tied
from robodistill.tracking.background import Background
from robodistill.tracking.lost import Lost
from robodistill.tracking.model import PartModel
from robodistill.tracking.occluder import field_palette, occluded
from robodistill.tracking.photometric import Quadratic, compared, linearize, misfit
from robodistill.tracking.picture import Picture, window_of
from robodistill.tracking.priors import contact_terms, find_contacts, pull, together

_REJOINED = 0.02  # of the object's size from where a part would be if it went with its neighbour
_ASTRAY = 0.008  # metres by which a part on its joint may be off from where it is looked for
_EVERY = 4  # frames; in one of so many lost parts are looked for
_LEAST_SEEN = 0.35  # of the object, in the median frame, for the film to show it at all
_FURTHER, _FURTHEST = 2.0, 4.0  # steps by which each is longer than the last as long as the picture gets nearer
_LEAST_TOLD = 0.15  # robust error of the object's pixels, that its median frame is nearer with it than without
_SETTLED = 2e-4  # metres and rad of a step after which no more is taken


@dataclass(frozen=True, eq=False)
class Followed:
    """The parts' way through the video."""

    Ts_camera_part: np.ndarray
    """(T, P, 4, 4)."""
    quadratics: list[Quadratic]
    """What the pictures alone say about each frame's poses."""
    background: Background


class Follower:
    """Solves for the part poses of one frame."""

    def __init__(self, model: PartModel, config: TrackingConfig, coordinates: FreeParts | Tied | Articulation) -> None:
        self.model, self.config, self.coordinates = model, config, coordinates
        # a joint says more than that its parts touch
        self.free = isinstance(coordinates, FreeParts)
        self.contacts = find_contacts(model, config.contact_reach * model.size) if self.free else []

    def solve(
        self, picture: Picture, state: Any, wanted: np.ndarray, lights: np.ndarray | None, wide: bool = True
    ) -> tuple[Any, Quadratic]:
        """The state near the given one whose poses fit the picture best, and the quadratic there.

        Args:
            wanted: (P, 4, 4) poses that it is drawn to, weakly.
            lights: (P, 4) of `Quadratic`, to start from.
            wide: First with the blur that lets far things be felt.
        """
        # what is blurred leads far, but a little astray along what the picture hardly shows, such as distance

        def descend(blurred: bool) -> tuple[Any, Quadratic]:
            begin = self._blurred(picture, state, wanted, lights) if blurred else (state, lights)
            return self._sharp(picture, *begin, wanted)

        return min(side_by_side(descend, (True, False) if wide else (False,)), key=lambda found: found[1].cost)

    def _blurred(
        self, picture: Picture, state: Any, wanted: np.ndarray, lights: np.ndarray | None
    ) -> tuple[Any, np.ndarray | None]:
        """State and lights after some steps on a blurred picture of half the size."""
        # first the whole, which much is seen of, then its parts; on joints both are one
        whole = self.config.wide_steps // 2 if self.free else 0
        one = Tied(self.model.centers, np.zeros(self.model.parts, int))
        for k in range(whole + self.config.wide_steps - self.config.wide_steps // 2):
            along = one if k < whole else self.coordinates
            Ts = self.coordinates.poses(state)
            q = linearize(self.model, Ts, picture.half, 1.4 * self.config.spread, lights, 0.5 * self.config.blur)
            if not np.isfinite(q.cost):
                break
            state, lights = along.moved(state, self._step(along, state, Ts, q, wanted)), q.lights
        return state, lights

    def _sharp(
        self, picture: Picture, state: Any, lights: np.ndarray | None, wanted: np.ndarray
    ) -> tuple[Any, Quadratic]:
        """The best state that some steps on the picture as it is come by.

        An edge is felt two pixels far, which makes steps along what is hardly seen, such as distance, too short: as
        long as they help, each goes further.
        """
        best, kept, further = None, state, 1.0
        for _ in range(self.config.fine_steps):
            Ts = self.coordinates.poses(state)
            q = linearize(self.model, Ts, picture, self.config.spread, lights)
            if not np.isfinite(q.cost):
                break
            lights = q.lights
            if best is None or q.cost < best.cost:
                further = 1.0 if best is None else min(_FURTHER * further, _FURTHEST)
                best, kept = q, state
            else:
                further = 1.0
            x = self._step(self.coordinates, state, Ts, q, wanted)
            if np.abs(x).max() < _SETTLED:
                return kept, best
            state = self.coordinates.moved(state, further * x)
        last = linearize(self.model, self.coordinates.poses(state), picture, self.config.spread, lights)
        return (state, last) if best is None or last.cost <= best.cost else (kept, best)

    def best_start(self, picture: Picture, states: list, lights: np.ndarray | None) -> Any:
        """Of several states the one whose blurred picture is nearest."""
        if len(states) == 1:
            return states[0]
        config = self.config
        costs = [
            misfit(self.model, self.coordinates.poses(s), picture.half, 2 * config.spread, lights, 0.5 * config.blur)
            for s in states
        ]
        return states[int(np.argmin(costs))]

    def rejoined(self, picture: Picture, Ts: np.ndarray, q: Quadratic) -> tuple[np.ndarray, Quadratic]:
        """Free parts (P, 4, 4) solved for, again from where one goes with a neighbour as at rest, if nearer.

        What was lost, or slid along a plain surface, is found where the picture shows its neighbour to be.
        """
        if not np.isfinite(q.cost):
            return Ts, q
        window = window_of(self.model, Ts, picture.camera)
        layers = self.model.draw(Ts, window)
        best, start = q.cost, None
        for contact in self.contacts:
            for part, other in ((contact.a, contact.b), (contact.b, contact.a)):
                points = self.model.points[self.model.labels == part]
                apart = (Ts[part] - Ts[other])[:3]
                if np.linalg.norm(points @ apart[:, :3].T + apart[:, 3], axis=1).mean() < _REJOINED * self.model.size:
                    continue
                moved = Ts.copy()
                moved[part] = Ts[other]
                drawn = self.model.redrawn(layers, moved, [part], window)
                cost = compared(drawn, window, picture, self.config.spread, q.lights, 0.0).cost
                if cost < best:
                    best, start = cost, moved
        if start is None:
            return Ts, q
        again = self.solve(picture, start, start, q.lights, wide=False)
        return again if again[1].cost < q.cost else (Ts, q)

    def _step(self, along: Any, state: Any, Ts: np.ndarray, q: Quadratic, wanted: np.ndarray) -> np.ndarray:
        config, jump = self.config, self.config.jump if self.free else _ASTRAY
        terms = [
            (q.H, q.g),
            pull(self.model, Ts, wanted, jump, jump / self.model.radii.mean()),
            contact_terms(self.model, Ts, self.contacts, config.contact_spread),
            together(self.model, Ts, wanted, self.contacts, config.slip),
        ]
        J = along.jacobian(state)
        H = J.T @ sum(term[0] for term in terms) @ J
        x = -np.linalg.solve(H + np.diag(1e-6 * np.diag(H) + 1e-9), J.T @ sum(term[1] for term in terms))
        # a step is believed as far as the picture's slope reaches
        reach = np.abs((J @ x).reshape(-1, 6)) / ([0.03] * 3 + [0.25] * 3)
        return x / max(1.0, reach.max())


def follow(
    model: PartModel,
    frames: Sequence[np.ndarray],
    camera: Camera,
    Ts_first: np.ndarray,
    config: TrackingConfig | None = None,
    usable: Sequence[np.ndarray] | None = None,
    progress: Progress = silent,
    background: Background | None = None,
    seek: bool = True,
    known: Mapping[int, np.ndarray] | None = None,
) -> Followed:
    """Follow the parts through a video from a fixed camera.

    Args:
        frames: (H, W, 3) uint8 each.
        Ts_first: (P, 4, 4) poses in the first frame, right to a few percent of the object's size.
        usable: (H, W) weights of each frame's pixels, 0 on people, where something says so.
        background: That is known already; where None it is learned from frame to frame.
        seek: Look for lost parts all around their neighbours, see `lost`, which takes most of the time where many are.
        known: (P, 4, 4) poses by number of a frame, from which it is solved for, too: where parts were found they may
            have been seen better than from frame to frame.
    """
    config = config or TrackingConfig()
    follower = Follower(model, config, FreeParts(model.centers))
    lost = Lost(model, config, follower.solve)
    learned = background is None
    if learned:
        background = Background(frames, model.covered(Ts_first, camera), field_palette(model.field))
    poses, quadratics, lights = [], [], None
    for k, image in enumerate(frames):
        picture = picture_of(image, camera, background, None if usable is None else usable[k])
        start = follower.best_start(picture, _predictions(poses) if poses else [Ts_first], lights)
        Ts, q = follower.solve(picture, start, start, lights)
        if known and k in known:
            other = follower.solve(picture, known[k], known[k], lights, wide=False)
            Ts, q = min((Ts, q), other, key=lambda found: found[1].cost)
        Ts, q = follower.rejoined(picture, Ts, q)
        if seek and k % _EVERY == 0:
            Ts, q = lost.found(picture, Ts, q)
        lights = q.sure_lights
        poses.append(Ts)
        quadratics.append(q)
        if learned:
            background.add(picture.rgb, model.covered(Ts, camera))
        progress("track", k + 1, len(frames), f"{100 * q.visible.mean():.0f} % seen")
    return Followed(np.stack(poses), quadratics, background)


def check_told(quadratics: Sequence[Quadratic]) -> None:
    """An object is told from what is behind it in the frames in which it was followed.

    Raises:
        HonestNo: It is not: what agrees with it does so by chance.
    """
    told = float(np.median([-1000 * q.cost / max(q.area.sum(), 1) if np.isfinite(q.cost) else 0.0 for q in quadratics]))
    if not told > _LEAST_TOLD:
        raise HonestNo(
            f"the film hardly tells this object from what is behind it: with it drawn, its median frame is nearer by "
            f"{told:.2f} a pixel, of 1 (at least {_LEAST_TOLD} is needed)"
        )


def check_seen(quadratics: Sequence[Quadratic], least: float = _LEAST_SEEN) -> None:
    """Enough of an object was seen in the frames in which it was followed.

    Raises:
        HonestNo: It was not: they show something else, or nothing.
    """
    seen = float(np.median([(q.visible * q.area).sum() / max(q.area.sum(), 1) for q in quadratics]))
    if not seen > least:
        raise HonestNo(
            f"the film does not show this object moving: its median frame agrees with {100 * seen:.0f} % of it "
            f"(at least {100 * least:.0f} % are needed)"
        )


def picture_of(image: np.ndarray, camera: Camera, background: Background, usable: np.ndarray | None = None) -> Picture:
    """A frame (H, W, 3) uint8 over what is known of its background, without what covers the object there."""
    rgb = image.astype(np.float32) / 255
    behind = background.under(rgb)
    if background.colors is not None:
        clear = (~occluded(rgb, behind, background.known, background.colors)).astype(np.float32)
        usable = clear if usable is None else usable * clear
    return Picture(rgb, behind, background.known, camera, usable)


def _predictions(poses: list[np.ndarray]) -> list[np.ndarray]:
    """The last poses, and these carried on by the last step, whole and half."""
    last = poses[-1]
    if len(poses) == 1:
        return [last]
    step = last @ np.linalg.inv(poses[-2])
    half = step.copy()
    half[:, :3, :3] = Rotation.from_rotvec(0.5 * Rotation.from_matrix(step[:, :3, :3]).as_rotvec()).as_matrix()
    half[:, :3, 3] *= 0.5
    return [last, half @ last, step @ last]
