"""The compiled CPU kernel behind torch tensors: loading, and autograd over one camera.

The library (`csrc/`) has a plain C interface and is loaded with ctypes, so it is built without torch or Python headers
and serves every version of both; tensors are passed as pointers, and the interpreter lock is free while it runs.
"""

import ctypes
import functools
import platform
from ctypes import c_double, c_int, c_int64, c_void_p
from pathlib import Path

import torch
from torch import Tensor

from robodistill.errors import MissingPart

_SUFFIX = {torch.float32: "f32", torch.float64: "f64"}


@functools.cache
def load_kernel() -> ctypes.CDLL:
    """The compiled library.

    Raises:
        MissingPart: It was not built (no C++ compiler at installation), or it was built for another processor.
    """
    found = sorted(Path(__file__).parent.glob("_kernel*.so"))
    if not found:
        raise MissingPart("the CPU kernel is not built: install a C++ compiler (g++) and run `pip install .` again")
    try:
        lib = ctypes.CDLL(str(found[0]))
    except OSError as error:
        raise MissingPart(f"the CPU kernel {found[0].name} does not load: {error}") from error
    lib.rd_instruction_set.restype = ctypes.c_char_p
    lacking = set(lib.rd_instruction_set().decode().split()) - _processor_flags()
    if lacking:
        raise MissingPart(
            f"the CPU kernel was built for a processor with {', '.join(sorted(lacking))}, which this one lacks: "
            "build it here with `ROBODISTILL_MARCH=native pip install .`"
        )
    for suffix in _SUFFIX.values():
        view = getattr(lib, f"rd_view_{suffix}")
        view.restype = c_void_p
        view.argtypes = [c_int64, c_int] + [c_void_p] * 7 + [c_int, c_int] + [c_double] * 3 + [c_int, c_int]
        getattr(lib, f"rd_free_{suffix}").argtypes = [c_void_p]
        getattr(lib, f"rd_blend_{suffix}").argtypes = [c_void_p] * 3
        getattr(lib, f"rd_backward_{suffix}").argtypes = [c_void_p, c_int64, c_int] + [c_void_p] * 12
        getattr(lib, f"rd_weights_{suffix}").argtypes = [c_void_p] * 5
        find = getattr(lib, f"rd_find_cells_{suffix}")
        find.restype, find.argtypes = c_int64, [c_void_p, c_int, c_int, c_double, c_void_p]
        getattr(lib, f"rd_take_cells_{suffix}").argtypes = [c_void_p, c_int64] + [c_void_p] * 3
    return lib


def _processor_flags() -> set[str]:
    """Instruction sets of this processor; where they cannot be read, those that the build assumes."""
    if platform.machine() not in ("x86_64", "AMD64"):
        return set()
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return {"avx2", "fma"}
    return set(next((line for line in lines if line.startswith("flags")), "").split())


class View:
    """Gaussians projected and binned for one camera; owns the library's memory."""

    def __init__(
        self,
        means: Tensor,
        quats: Tensor,
        scales: Tensor,
        opacities: Tensor,
        features: Tensor,
        viewmat: Tensor,
        K: Tensor,
        width: int,
        height: int,
        near_plane: float,
        far_plane: float,
        eps2d: float,
        with_depth: bool,
        threads: int | None = None,
    ) -> None:
        self._handle = None  # first: there is something to let go of only when all went well
        self._lib = load_kernel()
        self._suffix = _SUFFIX[means.dtype]
        self.size = (height, width)
        self.channels = features.shape[-1] + with_depth
        inputs = [t.detach().contiguous() for t in (means, quats, scales, opacities, features, viewmat, K)]
        assert all(t.dtype == means.dtype and t.device.type == "cpu" for t in inputs), [t.dtype for t in inputs]
        pointers = [t.data_ptr() for t in inputs]
        shape = (means.shape[0], features.shape[-1])
        planes = (near_plane, far_plane, eps2d)
        threads = threads or torch.get_num_threads()
        self._handle = self._call("view", *shape, *pointers, width, height, *planes, with_depth, threads)
        if not self._handle:
            raise MemoryError(f"no memory to project {means.shape[0]} Gaussians with {features.shape[-1]} channels")

    def _call(self, name: str, *args):
        return getattr(self._lib, f"rd_{name}_{self._suffix}")(*args)

    def __del__(self) -> None:
        if self._handle:
            self._call("free", self._handle)

    def blend(self, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
        """Image (H, W, channels) and alpha (H, W, 1)."""
        image = torch.empty(*self.size, self.channels, dtype=dtype)
        alpha = torch.empty(*self.size, 1, dtype=dtype)
        self._call("blend", self._handle, image.data_ptr(), alpha.data_ptr())
        return image, alpha

    def backward(self, gaussians: list[Tensor], channels: int, v_image: Tensor, v_alpha: Tensor) -> list[Tensor]:
        """Gradients of means, quats, scales, opacities, features (N, channels) and the view matrix (4, 4)."""
        inputs = [t.detach().contiguous() for t in gaussians]
        n, dtype = inputs[0].shape[0], inputs[0].dtype
        grads = [torch.zeros_like(t) for t in inputs] + [
            torch.zeros(n, channels, dtype=dtype),
            torch.zeros(4, 4, dtype=dtype),
        ]
        v_image, v_alpha = v_image.contiguous(), v_alpha.contiguous()
        pointers = [t.data_ptr() for t in (*inputs, v_image, v_alpha, *grads)]
        if self._call("backward", self._handle, n, channels, *pointers):
            raise MemoryError(f"no memory for the gradients of {n} Gaussians with {channels} channels")
        return grads

    def weights(self, dtype: torch.dtype) -> tuple[Tensor, Tensor, Tensor]:
        """Blending weights by pixel, as compressed rows: starts (H W + 1) int64, Gaussian ids int32, weights."""
        counts = torch.empty(self.size[0] * self.size[1], dtype=torch.int32)
        self._call("weights", self._handle, counts.data_ptr(), None, None, None)
        starts = torch.zeros(counts.numel() + 1, dtype=torch.int64)
        torch.cumsum(counts, 0, out=starts[1:])
        ids = torch.empty(int(starts[-1]), dtype=torch.int32)
        weights = torch.empty(int(starts[-1]), dtype=dtype)
        self._call("weights", self._handle, None, starts.data_ptr(), ids.data_ptr(), weights.data_ptr())
        return starts, ids, weights

    def cell_weights(
        self, n: int, columns: int, rows: int, dtype: torch.dtype, least: float
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Blending weights summed over cells, as compressed rows by Gaussian: starts (n + 1) int64, cells, weights.

        Sums up to `least` are left out.
        """
        found = c_void_p()
        count = self._call("find_cells", self._handle, columns, rows, least, ctypes.byref(found))
        if count < 0:
            raise MemoryError(f"no memory for the blending weights of a view in {columns} x {rows} cells")
        starts, cells = torch.empty(n + 1, dtype=torch.int64), torch.empty(count, dtype=torch.int32)
        weights = torch.empty(count, dtype=dtype)
        self._call("take_cells", found, n, starts.data_ptr(), cells.data_ptr(), weights.data_ptr())
        return starts, cells, weights


class Rasterize(torch.autograd.Function):
    """Image (H, W, D or D + 1 with depth last) and alpha (H, W, 1) of one camera; differentiable but for K."""

    @staticmethod
    def forward(ctx, means, quats, scales, opacities, features, viewmat, K, width, height, planes, with_depth):
        """See `robodistill.raster.rasterize`; `planes` is (near, far, eps2d)."""
        view = View(means, quats, scales, opacities, features, viewmat, K, width, height, *planes, with_depth)
        ctx.view, ctx.channels = view, features.shape[-1]
        ctx.save_for_backward(means, quats, scales, opacities)
        return view.blend(means.dtype)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, v_image, v_alpha):
        """Gradients for the six tensors."""
        grads = ctx.view.backward(list(ctx.saved_tensors), ctx.channels, v_image, v_alpha)
        return (*grads, *[None] * 5)
