"""The codec between a teacher's D dimensions and the few that a Gaussian stores: principal directions of a scene.

No mean is taken away, so that codes blend, and a cosine with text is a cosine with the text's own code. The directions
come from features averaged over patches (see `patches`): from single Gaussians, a teacher's noise, which is spread over
all Gaussians, outweighs the small things, which are few.
"""

import torch
from torch import Tensor

from robodistill.features.patches import Patches
from robodistill.field.features import Decoder

_ALIKE = 0.7  # cosine of features of one kind of thing
_SKETCH = 64  # dimensions in which likeness is judged at first
_FIRST = 192  # directions among which the best are sought
_COMPARED = 512  # patches with which each is compared
_ROUNDS = 10
_ROWS = 8192  # quantised at a time, so that what is divided stays in the cache


def scene_decoder(patches: Patches, features: Tensor, support: Tensor, dims: int) -> Decoder:
    """The `dims` directions in which the kinds of things in a scene differ most, as orthonormal columns.

    Each kind counts alike, whether it fills a wall or a hand: a patch weighs one over the root of how many are like it,
    which is judged after diffusion. Without that, the noise of a thousand patches of wall hides a handle of three.
    Sought twice: among many directions of the patches as they are, which hold noise, too, few of the diffused ones,
    where patches that were hardly seen count for little.

    Args:
        features: (P, D) of the patches; at most D and P directions are found.
        support: (P,) summed weights of the views, at least 0.
    """
    random = torch.Generator().manual_seed(0)
    sketch = patches.diffused(features @ torch.randn(features.shape[1], _SKETCH, generator=random), _ROUNDS)
    weights = _rarity(sketch, torch.ones(len(sketch)), random)
    many = _directions(features, weights, max(_FIRST, dims))
    codes = torch.nn.functional.normalize(features @ many, dim=-1)
    diffused = patches.diffused(codes, _ROUNDS)
    sure = support / (support + support.median()).clamp_min(1e-6)
    few = _directions(diffused, _rarity(diffused, weights**2, random) * sure**2, dims)
    return Decoder(((many @ few).contiguous(),), (None,))


def _directions(features: Tensor, weights: Tensor, count: int) -> Tensor:
    """(D, count) principal directions of (P, D) features, each of its weight (P,); fewer where D or P is less."""
    x = torch.nn.functional.normalize(features, dim=-1).mul_(weights[:, None])
    count = max(1, min(count, *x.shape))
    return torch.linalg.eigh(x.mT @ x)[1][:, -count:].flip(1)


def _rarity(features: Tensor, chances: Tensor, random: torch.Generator) -> Tensor:
    """(P,) one over the root of how many rows of (P, d) are like a row, estimated from some of them.

    Rows are drawn by `chances` (P,), each standing for as many as it was unlikely. Where all kinds of things are as
    likely as each other, a kind of three rows is counted as well as a wall is; a row that nothing drawn is like counts
    as if half of one were.
    """
    x = torch.nn.functional.normalize(features, dim=-1)
    drawn = torch.multinomial(chances, _COMPARED, replacement=True, generator=random)
    each = chances.sum() / (chances[drawn] * _COMPARED)
    return ((x @ x[drawn].mT).gt_(_ALIKE) @ each + each.min() / 2).rsqrt()


def encode(decoder: Decoder, features: Tensor) -> Tensor:
    """(..., d) codes of features (..., D) for an orthonormal linear decoder."""
    assert decoder.is_linear
    return features @ decoder.weights[0]


def quantised(decoder: Decoder, codes: Tensor) -> tuple[Decoder, Tensor]:
    """The codes (N, d) as int8, a byte a number, and the decoder that takes those: its first map holds the steps.

    A step is 1/127 of a column's largest number. Zero stays zero.
    """
    if not len(codes):
        return decoder, codes.to(torch.int8)
    low, high = torch.aminmax(codes, dim=0)
    steps = torch.maximum(-low, high).clamp_min(1e-12) / 127
    weights = (decoder.weights[0] * steps.to(decoder.weights[0]), *decoder.weights[1:])
    small = torch.cat([(rows / steps).round_().to(torch.int8) for rows in codes.split(_ROWS)])
    return Decoder(weights, decoder.biases), small


def identity_decoder(dim: int) -> Decoder:
    """Codes that are the features themselves."""
    return Decoder((torch.eye(dim),), (None,))
