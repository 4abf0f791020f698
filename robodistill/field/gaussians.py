"""`GaussianField`: Gaussians in the world frame, the views they were made from, and the folder that holds both."""

import shutil
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import pydantic
import torch
from torch import Tensor

from robodistill.capture.write import write_whole
from robodistill.errors import BadInput, UnsupportedVersion
from robodistill.field.features import FeatureLayer
from robodistill.field.features_file import LayerEntry, read_features, write_features
from robodistill.field.ply import read_ply, write_ply
from robodistill.geometry.camera import Camera

VERSION = 2


@dataclass(frozen=True, eq=False)
class FieldView:
    """A camera that the field was made from."""

    name: str
    camera: Camera
    T_world_camera: np.ndarray
    """(4, 4) float64."""


@dataclass(frozen=True, eq=False)
class GaussianField:
    """N Gaussians with spherical-harmonics colour."""

    means: Tensor
    """(N, 3) centres, metres."""
    quats_wxyz: Tensor
    """(N, 4) unit quaternions."""
    scales: Tensor
    """(N, 3) standard deviations along the Gaussian's axes, metres."""
    opacities: Tensor
    """(N,) in [0, 1]."""
    sh: Tensor
    """(N, K, 3) coefficients, K = 1, 4, 9 or 16 for degree 0 to 3; colour = 0.5 + their sum over the basis."""
    views: tuple[FieldView, ...] = ()
    background: tuple[float, float, float] = (0.0, 0.0, 0.0)
    """Colour of what no Gaussian covers, in [0, 1]."""
    features: dict[str, FeatureLayer] = field(default_factory=dict)
    """What teachers saw, by the teacher's name."""
    groups: Tensor | None = None
    """(N, S) int32 part labels at S scales, fine to coarse; 0 is no part."""

    def __post_init__(self) -> None:
        n = len(self.means)
        assert self.means.shape == (n, 3) and self.quats_wxyz.shape == (n, 4) and self.scales.shape == (n, 3)
        assert self.opacities.shape == (n,) and self.sh.shape[0] == n and self.sh.shape[2] == 3, self.sh.shape
        assert self.sh.shape[1] in (1, 4, 9, 16), self.sh.shape
        assert all(len(layer) == n for layer in self.features.values())
        assert self.groups is None or self.groups.shape[0] == n, self.groups.shape

    def __len__(self) -> int:
        return len(self.means)

    @property
    def sh_degree(self) -> int:
        """0 to 3."""
        return int(self.sh.shape[1] ** 0.5) - 1

    @cached_property
    def detail(self) -> float | None:
        """Pixels a metre at its middle in the views that show it; None where none does.

        A nearer view shows it in more pixels, and counts for more.
        """
        middle, found = np.append(self.means.double().mean(0).cpu().numpy(), 1), []
        for view in self.views:
            camera = view.camera
            at, z = camera.project((np.linalg.inv(view.T_world_camera) @ middle)[:3])
            if z > 0 and (at >= 0).all() and (at < [camera.width, camera.height]).all():
                found.append(camera.focal / z)
        return float(np.average(found, weights=np.square(found))) if found else None

    def to(self, device: torch.device | str) -> "GaussianField":
        """The same field on another device."""
        tensors = {name: getattr(self, name).to(device) for name in _TENSORS}
        features = {name: layer.to(device) for name, layer in self.features.items()}
        groups = None if self.groups is None else self.groups.to(device)
        return replace(self, **tensors, features=features, groups=groups)

    def select(self, keep: Tensor) -> "GaussianField":
        """The Gaussians that a mask (N,) bool or indices name."""
        tensors = {name: getattr(self, name)[keep] for name in _TENSORS}
        features = {name: layer.select(keep) for name, layer in self.features.items()}
        return replace(self, **tensors, features=features, groups=None if self.groups is None else self.groups[keep])

    def layer(self, name: str | None = None) -> FeatureLayer:
        """The features of one teacher; of the first, where no name is given.

        Raises:
            BadInput: There are none of that name, or none at all.
        """
        if not self.features:
            raise BadInput("this field carries no features: build it with a teacher (robodistill build --teacher ...)")
        name = next(iter(self.features)) if name is None else name
        if name not in self.features:
            raise BadInput(f"this field has no features of {name!r}; it has those of {', '.join(self.features)}")
        return self.features[name]

    def save(self, path: Path, overwrite: bool = False) -> Path:
        """Write the folder `path`; it appears when it is whole.

        Raises:
            BadInput: It exists and `overwrite` is not given.
        """
        path = Path(path)
        if path.exists() and not overwrite:
            raise BadInput(f"{path} exists; give another name or ask to overwrite it")
        partial = path.with_name(f".{path.name}.partial")
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        write_ply(partial / "gaussians.ply", *(getattr(self, name) for name in _TENSORS))
        layers = write_features(partial, self.features, self.groups)
        frames = [
            FrameEntry(
                name=v.name,
                width=v.camera.width,
                height=v.camera.height,
                K=v.camera.K.tolist(),
                T_world_camera=v.T_world_camera.tolist(),
            )
            for v in self.views
        ]
        index = FieldIndex(
            version=VERSION,
            gaussians=len(self),
            sh_degree=self.sh_degree,
            background=self.background,
            layers=layers,
            frames=frames,
        )
        write_whole(partial / "field.json", index.model_dump_json(indent=1).encode())
        old = path.with_name(f".{path.name}.old")
        if path.exists():
            path.rename(old)
        partial.rename(path)
        shutil.rmtree(old, ignore_errors=True)
        return path

    @classmethod
    def load(cls, path: Path) -> "GaussianField":
        """Read a field folder, or a bare 3DGS PLY trained elsewhere (which has no views).

        Raises:
            BadInput: Not there, not a field, or its parts do not fit each other.
            UnsupportedVersion: Written by a newer version.
        """
        path = Path(path)
        if path.suffix == ".ply":
            return cls(*read_ply(path))
        index = _read_index(path / "field.json")
        tensors = read_ply(path / "gaussians.ply")
        if len(tensors[0]) != index.gaussians:
            raise BadInput(
                f"{path}: gaussians.ply holds {len(tensors[0])} Gaussians, field.json says {index.gaussians}"
            )
        views = tuple(
            FieldView(f.name, Camera(np.array(f.K), f.width, f.height), np.array(f.T_world_camera))
            for f in index.frames
        )
        features, groups = read_features(path, index.layers, index.gaussians)
        return cls(*tensors, views, index.background, features, groups)


_TENSORS = ("means", "quats_wxyz", "scales", "opacities", "sh")


class FrameEntry(pydantic.BaseModel, extra="forbid"):
    """A view in `field.json`; pixel centres at integers, OpenCV camera axes."""

    name: str
    width: int
    height: int
    K: list[list[float]]
    T_world_camera: list[list[float]]


class FieldIndex(pydantic.BaseModel, extra="forbid"):
    """`field.json`."""

    version: int
    units: str = "metre"
    gaussians: int
    sh_degree: int
    layers: list[LayerEntry] = []
    background: tuple[float, float, float]
    frames: list[FrameEntry]


def _read_index(path: Path) -> FieldIndex:
    try:
        text = path.read_text()
    except (OSError, UnicodeDecodeError):
        raise BadInput(f"{path.parent} is not a field: a folder with field.json and gaussians.ply is needed") from None
    try:
        index = FieldIndex.model_validate_json(text)
    except pydantic.ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "the file"
        raise UnsupportedVersion(
            f"{path}: {where}: {first['msg']}; version {VERSION} has the keys {', '.join(FieldIndex.model_fields)}"
        ) from None
    if index.version != VERSION:
        raise UnsupportedVersion(f"{path}: version {index.version}; this program reads version {VERSION}")
    return index
