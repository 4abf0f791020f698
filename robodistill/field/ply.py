"""The standard 3DGS PLY: written by gsplat, read by trimesh, so that any splat viewer opens ours and we open theirs.

The file holds logarithms of scales, logits of opacities and spherical harmonics channel by channel; here they are
metres, [0, 1] and (N, K, 3).
"""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from robodistill.capture.write import write_whole
from robodistill.errors import BadInput

_NEEDED = ("x", "y", "z", "f_dc_0", "f_dc_1", "f_dc_2", "opacity", "scale_0", "scale_1", "scale_2")
_ROTATION = ("rot_0", "rot_1", "rot_2", "rot_3")


def write_ply(path: Path, means: Tensor, quats_wxyz: Tensor, scales: Tensor, opacities: Tensor, sh: Tensor) -> None:
    """Write Gaussians; shapes as in `GaussianField`.

    Raises:
        BadInput: A value is not finite.
    """
    from gsplat.exporter import export_splats

    log_scales = scales.clamp_min(1e-12).log()
    tensors = {
        "means": means,
        "scales": log_scales,
        "quats": quats_wxyz,
        "opacities": opacities.logit(1e-6),
        "sh0": sh[:, :1],
        "shN": sh[:, 1:],
    }
    bad = [name for name, t in tensors.items() if not torch.isfinite(t).all()]
    if bad:  # gsplat would leave those Gaussians out without a word
        raise BadInput(f"{path}: not written, since {', '.join(bad)} hold NaN or infinite values")
    data = export_splats(**{name: t.detach().cpu().float() for name, t in tensors.items()}, format="ply")
    write_whole(path, data)


def read_ply(path: Path) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """Means, quats, scales, opacities and spherical harmonics, float32.

    Raises:
        BadInput: Not there, not a PLY, not one of Gaussians, or truncated.
    """
    import trimesh

    path = Path(path)
    if not path.is_file():
        raise BadInput(f"{path} does not exist; a 3DGS PLY is needed")
    try:
        with path.open("rb") as file:
            vertex = trimesh.exchange.ply.load_ply(file)["metadata"]["_ply_raw"]["vertex"]
        raw, declared = vertex["data"], vertex["length"]
        names = raw.dtype.names if isinstance(raw, np.ndarray) else tuple(raw)
        columns = {name: np.ascontiguousarray(np.asarray(raw[name]).reshape(-1), dtype=np.float32) for name in names}
    except Exception as error:  # trimesh raises whatever its parser trips over
        raise BadInput(f"{path} cannot be read as PLY: {type(error).__name__}: {error}") from None
    lacking = [name for name in (*_NEEDED, *_ROTATION) if name not in columns]
    if lacking:
        raise BadInput(f"{path} is no 3DGS PLY: it lacks {', '.join(lacking)}; it has {', '.join(columns)}")
    rest = sorted((n for n in columns if n.startswith("f_rest_")), key=lambda n: int(n.rsplit("_", 1)[1]))
    if len(rest) not in (0, 9, 24, 45):
        raise BadInput(f"{path} has {len(rest)} f_rest columns; 0, 9, 24 or 45 make a degree of spherical harmonics")
    table = {name: torch.from_numpy(values) for name, values in columns.items()}
    if any(len(values) != declared for values in table.values()):
        raise BadInput(f"{path} is truncated: {declared} Gaussians are announced")
    if not all(torch.isfinite(values).all() for values in table.values()):
        raise BadInput(f"{path} holds NaN or infinite values")

    def stack(*names: str) -> Tensor:
        return torch.stack([table[name] for name in names], -1)

    sh = stack("f_dc_0", "f_dc_1", "f_dc_2")[:, None]
    if rest:
        sh = torch.cat([sh, stack(*rest).unflatten(-1, (3, -1)).mT], 1)
    quats = torch.nn.functional.normalize(stack(*_ROTATION), dim=-1)
    scales = stack("scale_0", "scale_1", "scale_2").exp()
    return stack("x", "y", "z"), quats, scales, table["opacity"].sigmoid(), sh.contiguous()
