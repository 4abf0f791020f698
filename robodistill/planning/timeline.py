"""Stretches of motion, joined to one trajectory of all arms and grippers."""

from dataclasses import dataclass, field

import numpy as np


@dataclass(eq=False)
class Timeline:
    """Grows at its end; each stretch begins where the last one ended."""

    times: list[np.ndarray] = field(default_factory=list)
    positions: list[np.ndarray] = field(default_factory=list)
    velocities: list[np.ndarray] = field(default_factory=list)
    openings: list[np.ndarray] = field(default_factory=list)
    progress: list[np.ndarray] = field(default_factory=list)
    now: float = 0.0
    """Seconds."""

    def move(
        self, stretch: tuple[np.ndarray, np.ndarray, np.ndarray], openings: np.ndarray, progress: np.ndarray | float
    ) -> None:
        """Add times (T,) from 0, positions and velocities (T, J), with openings (A,) and progress (T,) or one."""
        times, positions, velocities = stretch
        self.times.append(self.now + times)
        self.positions.append(positions)
        self.velocities.append(velocities)
        self.openings.append(np.tile(openings, (len(times), 1)))
        self.progress.append(np.broadcast_to(progress, times.shape))
        self.now += float(times[-1])

    def stay(self, seconds: float, openings: np.ndarray | None = None) -> None:
        """Stand still, the grippers going to other openings (A,)."""
        last = self.positions[-1][-1:]
        opening = self.openings[-1][-1] if openings is None else openings
        progress = float(self.progress[-1][-1])
        self.now += seconds
        self.times.append(np.array([self.now]))
        self.positions.append(last)
        self.velocities.append(np.zeros_like(last))
        self.openings.append(np.asarray(opening, float)[None])
        self.progress.append(np.array([progress]))

    def joined(self) -> tuple[np.ndarray, ...]:
        """Times, positions, velocities, openings and progress, without moments that are there twice."""
        parts = [self.times, self.positions, self.velocities, self.openings, self.progress]
        times, *rest = (np.concatenate(part) for part in parts)
        keep = np.append(np.diff(times) > 1e-9, True)  # of two the later
        return times[keep], *(part[keep] for part in rest)
