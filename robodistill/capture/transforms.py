"""The tree of coordinate frames that a robot publishes, over time (ROS tf2, but without ROS)."""

from collections.abc import Iterable

import numpy as np

from robodistill.capture.stamps import PoseTrack
from robodistill.errors import BadMetadata, BadPose

Edge = tuple[str, str]


class TransformTree:
    """Frames linked by static and by moving transforms; a lookup that cannot be answered raises, it never guesses."""

    def __init__(
        self, static: dict[Edge, np.ndarray], moving: dict[Edge, list[tuple[float, np.ndarray]]], tolerance: float
    ):
        """Build.

        Args:
            static: (parent, child) -> (4, 4) T_parent_child.
            moving: (parent, child) -> stamps, seconds, and T_parent_child.
            tolerance: How far the nearest recorded transform may be from the stamp asked for, seconds.
        """
        self._static, self._tolerance = static, tolerance
        self._moving = {
            edge: PoseTrack(np.array([stamp for stamp, _ in track]), np.stack([T for _, T in track]))
            for edge, track in moving.items()
        }
        self._parent = {child: parent for parent, child in [*static, *self._moving]}

    def ancestors(self, frame: str) -> list[str]:
        """`frame`, its parent, and so on up to the root.

        Raises:
            BadMetadata: The frames form a ring.
        """
        chain = [frame]
        while (parent := self._parent.get(chain[-1])) is not None:
            if parent in chain:
                raise BadMetadata(f"the coordinate frames form a ring: {' -> '.join([*chain, parent])}")
            chain.append(parent)
        return chain

    def is_moving(self, ancestor: str, frame: str) -> bool:
        """Whether a moving transform lies between `frame` and its `ancestor`."""
        chain = self.ancestors(frame)
        chain = chain[: chain.index(ancestor) + 1]
        return any(edge not in self._static for edge in zip(chain[1:], chain, strict=False))

    def lookup(self, a: str, b: str, stamp: float | None = None) -> np.ndarray:
        """(4, 4) T_a_b at `stamp`, seconds; without a stamp only static transforms may lie between.

        Raises:
            BadMetadata: The frames are not linked, or a moving link lies between and no stamp was given.
            BadPose: No transform was recorded near `stamp`.
        """
        up_a, up_b = self.ancestors(a), self.ancestors(b)
        common = next((frame for frame in up_a if frame in up_b), None)
        if common is None:
            known = ", ".join(sorted({*self._parent, *self._parent.values()})) or "none"
            raise BadMetadata(f"no transform links {a!r} and {b!r}; known frames: {known}")
        T_common_a = self._down(up_a[: up_a.index(common) + 1], stamp)
        T_common_b = self._down(up_b[: up_b.index(common) + 1], stamp)
        return np.linalg.inv(T_common_a) @ T_common_b

    def _down(self, chain: Iterable[str], stamp: float | None) -> np.ndarray:
        """(4, 4) from the last frame of an upward chain to the first."""
        chain = list(chain)
        T = np.eye(4)
        for child, parent in zip(chain, chain[1:], strict=False):
            edge = (parent, child)
            if edge in self._static:
                T = self._static[edge] @ T
            elif stamp is None:
                raise BadMetadata(f"{parent!r} -> {child!r} moves; a static transform is needed here")
            else:
                try:
                    T = self._moving[edge].at(stamp, self._tolerance) @ T
                except BadPose as error:
                    raise BadPose(f"{parent!r} -> {child!r}: {error}") from None
        return T
