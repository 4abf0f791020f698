"""Products by torch: sparse ones on all cores and in place, where scipy takes one core; dense ones by oneDNN."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from scipy.sparse import csr_matrix
from torch import Tensor

# torch says on the first one that the layout is young
warnings.filterwarnings("ignore", message="Sparse CSR tensor support is in beta", category=UserWarning)


def rows_of(matrix: csr_matrix) -> Tensor:
    """The compressed rows as torch has them, on the processor; the memory is shared."""
    parts = (torch.from_numpy(x) for x in (matrix.indptr, matrix.indices, matrix.data))
    return torch.sparse_csr_tensor(*parts, matrix.shape, check_invariants=False)  # scipy made the indices


def add_product(total: Tensor, matrix: csr_matrix, dense: Tensor) -> None:
    """`total` (n, d) += (n, m) times (m, d), in place."""
    torch.addmm(total, rows_of(matrix), dense, out=total)


@contextmanager
def by_onednn() -> Iterator[None]:
    """Dense products by oneDNN instead of MKL, which leaves half of each core of some makes unused.

    A processor with matrix units may round factors to bfloat16 on the way; others compute in single precision.
    """
    matmul = torch.backends.mkldnn.matmul
    before = matmul.fp32_precision
    matmul.fp32_precision = "bf16"
    try:
        yield
    finally:
        matmul.fp32_precision = before
