"""Images as a lens without distortion would have given them."""

import cv2
import numpy as np


def undistort(
    rgb: np.ndarray | None, depth: np.ndarray | None, K: np.ndarray, lens: np.ndarray
) -> tuple[np.ndarray | None, np.ndarray | None]:
    """Colour (linear) and depth (nearest, so that no depth between two surfaces arises) with the same `K`, no lens.

    Args:
        lens: OpenCV's coefficients k1, k2, p1, p2[, k3[, k4, k5, k6]].
    """
    height, width = (depth if rgb is None else rgb).shape[:2]
    x, y = cv2.initUndistortRectifyMap(K, lens, None, K, (width, height), cv2.CV_32FC1)
    return (
        None if rgb is None else cv2.remap(rgb, x, y, cv2.INTER_LINEAR),
        None if depth is None else cv2.remap(depth, x, y, cv2.INTER_NEAREST),
    )
