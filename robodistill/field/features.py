"""`FeatureLayer`: what one teacher saw of each Gaussian, kept as short codes that a small decoder maps back.

Blending is linear, so codes can be rendered in place of features and be decoded afterwards; where the decoder is one
linear map without bias, as of PCA, even the comparison with text needs no decoding.
"""

from dataclasses import dataclass, replace

import torch
from torch import Tensor

_CHUNK = 16_384  # rows decoded at a time


@dataclass(frozen=True, eq=False)
class Decoder:
    """Linear maps with ReLU between them, from d-dimensional codes to the teacher's D."""

    weights: tuple[Tensor, ...]
    """(out, in) each."""
    biases: tuple[Tensor | None, ...]
    """(out,) each, or None."""

    def __post_init__(self) -> None:
        assert self.weights and len(self.weights) == len(self.biases)

    @property
    def dim(self) -> int:
        """D."""
        return self.weights[-1].shape[0]

    @property
    def is_linear(self) -> bool:
        """One map without bias."""
        return len(self.weights) == 1 and self.biases[0] is None

    def __call__(self, codes: Tensor) -> Tensor:
        """(..., D) from (..., d)."""
        x = codes.to(self.weights[0].dtype)
        for k, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            x = torch.nn.functional.linear(x if k == 0 else x.relu(), weight, bias)
        return x

    def to(self, device: torch.device | str) -> "Decoder":
        """The same on another device."""
        biases = tuple(None if b is None else b.to(device) for b in self.biases)
        return Decoder(tuple(w.to(device) for w in self.weights), biases)


@dataclass(frozen=True, eq=False)
class FeatureLayer:
    """Features of one teacher on N Gaussians."""

    teacher: str
    """Spec of the teacher, with which its text encoder is loaded again."""
    way: str
    """uplift, distill or contrastive."""
    codes: Tensor
    """(N, d), of any float type; zero where the teacher saw nothing."""
    decoder: Decoder

    def __len__(self) -> int:
        return len(self.codes)

    @property
    def dim(self) -> int:
        """D, the teacher's."""
        return self.decoder.dim

    def features(self) -> Tensor:
        """(N, D) decoded: large, for tests and small fields."""
        return self.decoder(self.codes.float())

    def similarity(self, directions: Tensor, codes: Tensor | None = None) -> Tensor:
        """Cosines (..., n) between decoded codes (..., d), by default the field's own, and directions (n, D).

        Never holds more than a few thousand decoded rows. A zero code has cosine 0.
        """
        codes = (self.codes if codes is None else codes).float()
        directions = torch.nn.functional.normalize(directions.to(codes), dim=-1)
        flat = codes.reshape(-1, codes.shape[-1])
        if self.decoder.is_linear:
            W = self.decoder.weights[0]
            # |W c| through the small Gram matrix: no D-dimensional row is ever made
            norms = ((flat @ (W.mT @ W)) * flat).sum(-1, keepdim=True).clamp_min(0).sqrt()
            cosines = flat @ (directions @ W).mT / norms.clamp_min(1e-12)
        else:
            rows = [
                torch.nn.functional.normalize(self.decoder(part), dim=-1) @ directions.mT for part in flat.split(_CHUNK)
            ]
            seen = (flat != 0).any(-1, keepdim=True)
            cosines = (torch.cat(rows) if rows else flat.new_zeros(0, len(directions))) * seen
        return cosines.reshape(*codes.shape[:-1], -1)

    def select(self, keep: Tensor) -> "FeatureLayer":
        """The Gaussians that a mask or indices name."""
        return replace(self, codes=self.codes[keep])

    def to(self, device: torch.device | str) -> "FeatureLayer":
        """The same on another device."""
        return replace(self, codes=self.codes.to(device), decoder=self.decoder.to(device))
