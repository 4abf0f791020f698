"""`superpixels`: a mask proposer without weights, from colour and, where there is depth, from the shape of the surface.

Small superpixels (Felzenszwalb & Huttenlocher, "Efficient graph-based image segmentation", IJCV 2004) are made of an
image whose channels are Lab colour, normals and the logarithm of depth; then neighbours are merged by
`geometry.merging` at three scales, so that each region of one scale is a union of regions of the finer one.
"""

import warnings

import cv2
import numpy as np

from robodistill.capture.frame import Frame
from robodistill.errors import BadInput, MissingPart
from robodistill.geometry.camera import Camera
from robodistill.geometry.merging import RegionGraph, merge_levels, unite

_TOLERANCES = (2.0, 8.0, 32.0)
_FINE = 8.0  # scale of Felzenszwalb's superpixels
_LEAST = 32  # pixels of a superpixel at 320 x 240
_BLUR = 0.7  # pixels
_COLOR = 4.0  # difference in Lab that counts as one
_LIGHT = 0.4  # weight of lightness against the two of hue: shadows are no borders
_NORMAL = 1.4  # difference of unit normals that counts as one
_STEP = 0.015  # relative difference of depth that counts as one
_BARRIER = 40.0  # cost, for each pixel of a border, of a full step in depth
_WINDOW = 5  # pixels over which the surface is taken to be flat, at 320 x 240


class Superpixels:
    """Regions of even colour and smooth surface at three scales."""

    spec = "superpixels"

    def __init__(self, argument: str = "") -> None:
        """Nothing to choose.

        Raises:
            BadInput: There is an argument.
        """
        if argument:
            raise BadInput(f"superpixels takes no argument, got {argument!r}; valid is 'superpixels'")

    def propose(self, frame: Frame) -> np.ndarray:
        """(3, H, W) int32 label maps from 1, fine to coarse; every pixel is in a region.

        Raises:
            MissingPart: scikit-image is not installed.
        """
        try:
            from skimage.segmentation import felzenszwalb
        except ImportError as error:
            raise MissingPart(f"superpixels need scikit-image: pip install scikit-image ({error})") from error
        rgb = cv2.GaussianBlur(frame.rgb, (0, 0), _BLUR).astype(np.float32) / 255
        channels = [cv2.cvtColor(rgb, cv2.COLOR_RGB2LAB) * (_LIGHT, 1, 1) / _COLOR]
        step = None
        if frame.depth is not None and frame.valid.any():
            depth = _filled(frame.depth)
            channels += [_normals(depth, frame.camera) / _NORMAL]
            step = np.log(depth) / _STEP
        image = np.concatenate(channels, -1).astype(np.float32)
        area = frame.rgb.shape[0] * frame.rgb.shape[1] / (320 * 240)
        whole = image if step is None else np.concatenate([image, step[..., None].astype(np.float32)], -1)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # that there are more than three channels, which is meant
            fine = felzenszwalb(whole, scale=_FINE, sigma=0, min_size=max(1, round(_LEAST * area)), channel_axis=-1)
        graph = _region_graph(fine, image, step)
        return np.stack([labels[fine] + 1 for labels in merge_levels(graph, _TOLERANCES)]).astype(np.int32)


def _region_graph(labels: np.ndarray, image: np.ndarray, step: np.ndarray | None) -> RegionGraph:
    """Regions (H, W) with the mean of the image's channels; a border's barrier is the mean step of depth across it."""
    count = int(labels.max()) + 1
    flat = labels.ravel()
    sizes = np.bincount(flat, minlength=count).astype(np.float32)
    sums = [np.bincount(flat, channel, count) for channel in image.reshape(-1, image.shape[-1]).T]
    pairs, heights = [], []
    for first, second in ((np.s_[:, :-1], np.s_[:, 1:]), (np.s_[:-1], np.s_[1:])):
        pairs.append(np.column_stack([labels[first].ravel(), labels[second].ravel()]))
        jump = np.zeros(len(pairs[-1])) if step is None else np.abs(step[first] - step[second]).ravel()
        heights.append(_BARRIER * np.clip(jump - 0.5, 0, 1))
    pairs, heights = np.concatenate(pairs), np.concatenate(heights)
    means = (np.stack(sums, 1) / sizes[:, None]).astype(np.float32)
    return RegionGraph(sizes, means, *unite(pairs, np.ones(len(pairs)), heights, count))


def _filled(depth: np.ndarray) -> np.ndarray:
    """Depth with its holes filled from the nearest measurement: a hole is no edge."""
    from scipy.ndimage import distance_transform_edt

    rows, columns = distance_transform_edt(depth == 0, return_distances=False, return_indices=True)
    return cv2.medianBlur(depth[rows, columns], 5)


def _normals(depth: np.ndarray, camera: Camera) -> np.ndarray:
    """(H, W, 3) unit normals in the camera frame, of planes through small windows."""
    window = max(3, round(_WINDOW * camera.width / 320))
    points = cv2.blur(camera.unproject(depth).astype(np.float32), (window, window))
    across = cv2.Sobel(points, cv2.CV_32F, 1, 0, ksize=3)
    down = cv2.Sobel(points, cv2.CV_32F, 0, 1, ksize=3)
    normals = np.cross(down, across)
    return normals / np.maximum(np.linalg.norm(normals, axis=-1, keepdims=True), 1e-12)
