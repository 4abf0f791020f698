"""The shape encoder: coloured points of a segment, in metres above its support, to what they are and which part.

Edge convolutions over nearest neighbours, a global maximum that every point sees again (Wang et al., "Dynamic graph CNN
for learning on point clouds", ACM TOG 2019). Differs in that the graph is that of places throughout,
and that an edge is linear up to the maximum.
"""

import torch
from torch import Tensor, nn

POINTS = 384
INPUTS = 7
"""x, y about the segment's middle and z above the support, in 0.1 m; red, green, blue in [-1, 1]; |normal . up|."""
_NEAR = 10
_WIDTH = 64
_GLOBAL = 384


class ShapeNet(nn.Module):
    """(n, points, 7) -> logits of things (n, points, things) and of parts (n, points, parts)."""

    def __init__(self, things: int, parts: int) -> None:
        """Numbers of concepts."""
        super().__init__()
        self.edges = nn.ModuleList([_Edge(INPUTS, _WIDTH), _Edge(_WIDTH, 2 * _WIDTH), _Edge(2 * _WIDTH, 2 * _WIDTH)])
        local = 5 * _WIDTH
        self.gather = _dense(local, _GLOBAL)
        self.mix = nn.Sequential(_dense(local + 2 * _GLOBAL, 256), _dense(256, 192))
        self.things, self.parts = nn.Linear(192, things), nn.Linear(192, parts)

    def forward(self, points: Tensor) -> tuple[Tensor, Tensor]:
        """Logits of each point."""
        near = torch.cdist(points[..., :3], points[..., :3]).topk(_NEAR + 1, largest=False).indices[..., 1:]
        x, seen = points, []
        for edge in self.edges:
            x = edge(x, near)
            seen.append(x)
        local = torch.cat(seen, -1)
        gathered = self.gather(local)
        whole = torch.cat([gathered.amax(1), gathered.mean(1)], -1)[:, None].expand(-1, points.shape[1], -1)
        mixed = self.mix(torch.cat([local, whole], -1))
        return self.things(mixed), self.parts(mixed)


class _Edge(nn.Module):
    """The strongest of the differences to each neighbour, and a layer on it.

    The maximum is taken before anything that is not linear, so that the work is done once a point, not once an edge.
    """

    def __init__(self, width: int, wide: int) -> None:
        super().__init__()
        self.own, self.other = nn.Linear(width, wide), nn.Linear(width, wide, bias=False)
        self.mix = nn.Sequential(nn.LayerNorm(wide), nn.ReLU(), nn.Linear(wide, wide), nn.LayerNorm(wide), nn.ReLU())

    def forward(self, x: Tensor, near: Tensor) -> Tensor:
        other = self.other(x)
        strongest = torch.stack([rows[ids].amax(1) for rows, ids in zip(other, near, strict=True)])
        return self.mix(self.own(x) + strongest - other)


def _dense(width: int, wide: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(width, wide), nn.LayerNorm(wide), nn.ReLU())
