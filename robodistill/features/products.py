"""Sparse times dense on all cores: scipy's product takes one."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from scipy.sparse import csr_matrix

_SMALL = 1 << 20  # multiply-adds that are not worth a thread


def product(matrix: csr_matrix, dense: np.ndarray) -> np.ndarray:
    """(n, d) of (n, m) and (m, d); the same bits for any number of threads, as rows are apart."""
    threads = torch.get_num_threads()
    if threads == 1 or matrix.nnz * dense.shape[1] < _SMALL:
        return matrix @ dense
    # as many entries to each
    bounds = np.searchsorted(matrix.indptr, np.linspace(0, matrix.nnz, threads + 1)[1:-1])
    bounds = [0, *bounds.tolist(), matrix.shape[0]]
    with ThreadPoolExecutor(threads) as pool:
        pieces = pool.map(lambda k: matrix[bounds[k] : bounds[k + 1]] @ dense, range(threads))
        return np.concatenate(list(pieces))
