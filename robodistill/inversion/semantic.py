"""Hypotheses from what a picture shows: its features against those of the field. Nothing is trained for a scene.

Two ways. Retrieval: a picture's feature map, averaged over a coarse grid, is compared with that of every virtual view
(a spatial pyramid: Lazebnik, Schmid & Ponce, CVPR 2006; with dense features, the VLAD of AnyLoc, Keetha et al., RA-L
2023, is near). Landmarks: connected lumps of the field that look alike are points in 3D, where the picture shows the
same features are points in 2D, and minimal sets of such pairs give poses (compare SGLoc, 2025, which retrieves only).
Both are coarse by tens of centimetres; what they are for is that they hold where no corner is recognised.
"""

import cv2
import numpy as np
import torch
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree
from torch import Tensor

from robodistill.capture.frame import Frame
from robodistill.config import InversionConfig
from robodistill.field.features import FeatureLayer
from robodistill.field.gaussians import GaussianField
from robodistill.field.render import render
from robodistill.inversion.descent import SeenFeatures
from robodistill.inversion.landmarks import Matches
from robodistill.inversion.minimal import Hypothesis, pose_hypotheses
from robodistill.inversion.views import extent, virtual_views
from robodistill.teachers.teacher import ImageTeacher

_SHRINK = 8  # virtual views are drawn so many times smaller: their features are averaged anyway
_GRID = (8, 6)
_VOXEL = 0.012  # of the field's radius, to which features are averaged before lumps are looked for
_LINKS = 8  # neighbours of a voxel
_LUMP = 0.85  # cosine of neighbours in one lump
_LARGEST, _SMALLEST = 0.25, 4  # a lump's extent at most, of the field's radius (a table is no landmark); its voxels
_MOST = 40  # lumps
_CHANNELS = 8  # strongest directions of the features that steer the last steps
_SURE = 0.6  # cosine of a cell of the picture with a lump, at least
_LOOSE = 0.05  # of the picture's width: how far a lump's middle may lie from where it should


class SemanticIndex:
    """A field's features, from many sides and as lumps; a `Proposer`."""

    def __init__(
        self, field: GaussianField, layer: FeatureLayer, teacher: ImageTeacher, config: InversionConfig
    ) -> None:
        """Render the features of all virtual views, small, and find the lumps."""
        self._teacher, self._config, self._layer = teacher, config, layer
        self._last: tuple[np.ndarray, Tensor] | None = None
        self.views = list(virtual_views(field, config))
        self._pyramids = torch.stack([self._of_view(field, v) for v in self.views])
        self.centers, self.looks = find_lumps(field, layer)

    @property
    def is_linear(self) -> bool:
        """Whether a picture's features can be turned into the field's codes."""
        return self._layer.decoder.is_linear

    def propose(self, frame: Frame) -> list[Hypothesis]:
        """Poses by landmarks, then the virtual views that look most alike."""
        seen = self._encoded(frame)
        scores = self.similarities(seen)
        order = scores.argsort(descending=True).tolist()
        retrieved: list[int] = []
        for k in order:
            T = self.views[k].T_world_camera
            if all(np.linalg.norm(T[:3, 3] - self.views[j].T_world_camera[:3, 3]) > 0.1 for j in retrieved):
                retrieved.append(k)
            if len(retrieved) == self._config.hypotheses // 2:
                break
        by_view = [Hypothesis(self.views[k].T_world_camera, 0.0, "semantics") for k in retrieved]
        pairs = self.landmark_matches(seen, frame)
        random = np.random.default_rng(self._config.seed)
        loose = _LOOSE * frame.camera.width
        found = pose_hypotheses(
            pairs, frame.camera.K, self._config.samples, self._config.hypotheses // 2, loose, random
        )
        return [Hypothesis(h.T_world_camera, 0.0, "semantics") for h in found] + by_view

    def similarities(self, seen: Tensor) -> Tensor:
        """(V,) how much each virtual view looks like a feature map (h, w, D)."""
        pyramid = _pyramid(seen)
        shown = (pyramid.norm(dim=-1) > 0) | (self._pyramids.norm(dim=-1) > 0)
        return (pyramid * self._pyramids).sum(-1).sum(-1) / shown.sum(-1).clamp_min(1)

    def landmark_matches(self, seen: Tensor, frame: Frame) -> Matches:
        """Each lump with the middle of the largest region of the picture that looks like it."""
        pixels, points, weights = [], [], []
        if len(self.centers):
            cosines = (seen @ self.looks.mT).numpy()
            winner = cosines.argmax(-1)
            cell = np.array([frame.camera.width / seen.shape[1], frame.camera.height / seen.shape[0]])
            for k, center in enumerate(self.centers):
                region = ((winner == k) & (cosines[..., k] > _SURE)).astype(np.uint8)
                count, _, stats, middles = cv2.connectedComponentsWithStats(region)
                if count < 2:
                    continue
                best = 1 + int(stats[1:, cv2.CC_STAT_AREA].argmax())
                pixels.append((middles[best] + 0.5) * cell - 0.5)
                points.append(center)
                weights.append(float(cosines[..., k][region > 0].mean()))
        n = len(pixels)
        arrays = np.reshape(pixels, (n, 2)), np.reshape(points, (n, 3)), np.array(weights), np.zeros(n, int)
        return Matches(*arrays)

    def seen_features(self, frame: Frame) -> SeenFeatures:
        """The strongest directions of the frame's features, in the field's codes, for `descent`; needs `is_linear`."""
        assert self.is_linear, "features that a network decodes cannot be turned into codes"
        weights = self._layer.decoder.weights[0].double()
        codes = self._encoded(frame) @ torch.linalg.pinv(weights).mT.float().cpu()[:, :_CHANNELS]
        known = self._layer.codes[:, :_CHANNELS].float()
        scale = known.std(0).clamp_min(1e-6)
        size = frame.rgb.shape[1::-1]
        image = cv2.resize((codes / scale.cpu()).numpy(), size, interpolation=cv2.INTER_LINEAR)
        return SeenFeatures(known / scale, image.reshape(*size[::-1], -1))

    def _encoded(self, frame: Frame) -> Tensor:
        """(h, w, D) unit features of a frame; of the last one they are kept."""
        if self._last is None or self._last[0] is not frame.rgb:
            self._last = frame.rgb, torch.nn.functional.normalize(self._teacher.encode(frame).float().cpu(), dim=-1)
        return self._last[1]

    @torch.no_grad()
    def _of_view(self, field: GaussianField, view) -> Tensor:
        camera = view.camera.resized(max(view.camera.width // _SHRINK, 8), max(view.camera.height // _SHRINK, 6))
        codes = render(field, camera, view.T_world_camera, self._layer.codes.float()).features
        seen = self._layer.decoder(codes).cpu()
        # alpha is in the length of what was blended: what is hardly covered hardly counts
        return _pyramid(seen / seen.norm(dim=-1).quantile(0.9).clamp_min(1e-9))


def _pyramid(seen: Tensor) -> Tensor:
    """(49, D) unit means of a feature map (h, w, D) over the cells of a grid and over all; 0 where there is nothing."""
    cells = torch.nn.functional.adaptive_avg_pool2d(seen.permute(2, 0, 1)[None], _GRID[::-1])[0].flatten(1).mT
    every = torch.cat([cells, cells.mean(0, keepdim=True)])
    lengths = every.norm(dim=-1, keepdim=True)
    return torch.where(lengths > 0.1, every / lengths.clamp_min(1e-9), torch.zeros_like(every))


def find_lumps(field: GaussianField, layer: FeatureLayer) -> tuple[np.ndarray, Tensor]:
    """(L, 3) middles, metres, and (L, D) unit features of connected pieces of the field that look alike."""
    _, radius = extent(field)
    layer = layer.to("cpu")
    points = field.means.detach().cpu().numpy().astype(np.float64)
    solid = (field.opacities > 0.3).cpu().numpy()
    keys, voxel = np.unique(np.floor(points[solid] / (_VOXEL * radius)).astype(np.int64), axis=0, return_inverse=True)
    voxel, n = voxel.ravel(), len(keys)
    weight = coo_matrix(
        (np.ones(len(voxel), np.float32), (voxel, np.arange(len(voxel)))), shape=(n, len(voxel))
    ).tocsr()
    count = np.bincount(voxel)[:, None]
    middles = weight @ points[solid] / count
    codes = weight @ layer.codes.float().cpu().numpy()[solid] / count
    features = torch.nn.functional.normalize(layer.decoder(torch.from_numpy(codes.astype(np.float32))).cpu(), dim=-1)
    distances, neighbours = cKDTree(middles).query(middles, k=min(_LINKS + 1, n))
    starts = np.broadcast_to(np.arange(n)[:, None], neighbours.shape)
    # no link bridges a gap of more than twice what is usual between neighbours
    close = (distances < 2 * np.median(distances[:, 1:])) & (neighbours > starts)
    near = np.stack([starts[close], neighbours[close]], 1)
    alike = (features[near[:, 0]] * features[near[:, 1]]).sum(-1).numpy() > _LUMP
    links = coo_matrix((np.ones(alike.sum(), bool), near[alike].T), shape=(n, n))
    labels = connected_components(links, directed=False)[1]
    centers, looks = [], []
    for label in np.argsort(-np.bincount(labels))[: 4 * _MOST]:
        own = np.flatnonzero(labels == label)
        if len(own) < _SMALLEST or np.ptp(middles[own], axis=0).max() > 2 * _LARGEST * radius:
            continue
        centers.append(middles[own].mean(0))
        looks.append(features[own].mean(0))
    if not centers:
        return np.zeros((0, 3)), torch.zeros(0, layer.dim)
    return np.stack(centers)[:_MOST], torch.nn.functional.normalize(torch.stack(looks), dim=-1)[:_MOST]
