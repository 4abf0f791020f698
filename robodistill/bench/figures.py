"""Figures while a benchmark runs: values that are gathered under a name, whose means become rows."""

from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from robodistill.bench.rows import Row


class Figures:
    """Values by case, method and metric."""

    def __init__(self) -> None:
        self.values: dict[tuple[str, str, str, str], list[float]] = defaultdict(list)

    def add(self, case: str, method: str, metric: str, values: float | Sequence[float], unit: str = "") -> None:
        """One more value, or several."""
        self.values[case, method, metric, unit].extend(np.atleast_1d(values).tolist())

    def extend(self, others: "Figures") -> None:
        """With all values of others."""
        for key, values in others.values.items():
            self.values[key].extend(values)

    def rows(self) -> list[Row]:
        """The mean of each."""
        return [Row(c, how, m, float(np.mean(v)), u, len(v)) for (c, how, m, u), v in self.values.items() if v]


def mean_iou(found: np.ndarray, truth: np.ndarray, count: int) -> float:
    """Mean IoU of labels 0 to `count` - 1, over those that the truth has."""
    ious = []
    for k in range(count):
        union = ((found == k) | (truth == k)).sum()
        if (truth == k).any():
            ious.append(((found == k) & (truth == k)).sum() / union)
    return float(np.mean(ious))
