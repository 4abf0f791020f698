"""A bank of motions: ways through a film that parts of an object may have gone, right or wrong, and whom they suit."""

from collections.abc import Sequence

import numpy as np

from robodistill.tracking.model import PartModel
from robodistill.tracking.part_errors import errors_as_one
from robodistill.tracking.photometric import Quadratic
from robodistill.tracking.picture import Picture


class MotionBank:
    """Poses in T pictures, each with what it costs each of N Gaussians to be there.

    Where one motion was lost another may be right: a part's cost in a picture is that of the pose that suits it best.
    """

    def __init__(self, whole: PartModel, pictures: Sequence[Picture]) -> None:
        """Of a model of one part."""
        self._whole, self._pictures = whole, pictures
        self.poses = np.zeros((len(pictures), 0, 4, 4))
        """(T, K, 4, 4)."""
        self._errors = np.zeros((len(pictures), 0, len(whole.labels)), np.float32)

    def add(self, Ts_camera_part: np.ndarray, quadratics: Sequence[Quadratic]) -> None:
        """The ways (T, P, 4, 4) that parts were followed on."""
        errors = [
            [errors_as_one(self._whole, picture, T, light) for T, light in zip(Ts, q.lights, strict=True)]
            for picture, Ts, q in zip(self._pictures, Ts_camera_part, quadratics, strict=True)
        ]
        self.poses = np.concatenate([self.poses, Ts_camera_part], 1)
        self._errors = np.concatenate([self._errors, np.array(errors, np.float32)], 1)

    def starts(self, labels: np.ndarray) -> np.ndarray:
        """(T, P, 4, 4) the poses that suit each of the parts (N,) best."""
        best = [self._errors[:, :, labels == p].sum(2).argmin(1) for p in range(labels.max() + 1)]
        return np.stack([self.poses[np.arange(len(self.poses)), k] for k in best], 1)

    def errors(self, some: np.ndarray) -> np.ndarray:
        """(N,) mean over the pictures of what each Gaussian costs, were it to move as those (N,) bool do."""
        best = self._errors[:, :, some].sum(2).argmin(1)
        return self._errors[np.arange(len(best)), best].mean(0)

    def cost(self, some: np.ndarray) -> float:
        """Mean over the pictures of what Gaussians (N,) bool cost that move as one."""
        return float(self._errors[:, :, some].sum(2).min(1).mean())
