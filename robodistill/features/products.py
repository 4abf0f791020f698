"""Sparse times dense by torch, on all cores and in place; scipy's product takes one core."""

import warnings

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
