"""Independent work on all cores, by threads: numpy, OpenCV and the CPU kernel let go of the interpreter as they run.

Much small work gains by that. A library's own threads, which share each small piece of it, mostly wait for each other.
"""

import functools
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from threadpoolctl import ThreadpoolController, threadpool_limits

_Item, _Result = TypeVar("_Item"), TypeVar("_Result")
_within = threading.local()

small_matrices = threadpool_limits.wrap(limits=1, user_api="blas")
"""Decorates what multiplies small matrices only: twice as fast where BLAS does so on one thread, and the same to the
last digit on any number of cores."""


def side_by_side(function: Callable[[_Item], _Result], items: Iterable[_Item]) -> list[_Result]:
    """`function` of each item, in their order; the first error is raised, and what had not begun then is not.

    As many threads as torch may use, each of which computes alone; what is called in one of them goes on in it.
    """
    import torch

    items = list(items)
    count = min(torch.get_num_threads(), len(items))
    if count < 2 or getattr(_within, "one", False):
        return [function(item) for item in items]

    libraries = _libraries()

    def begin() -> None:
        _within.one = True
        libraries.limit(limits=1, user_api="openmp")  # of this thread alone

    pool = ThreadPoolExecutor(count, initializer=begin)
    try:
        return [future.result() for future in [pool.submit(function, item) for item in items]]
    finally:
        pool.shutdown(cancel_futures=True)


@functools.cache
def _libraries() -> ThreadpoolController:
    """Those that have threads of their own; to look for them takes a millisecond, as long as some work here."""
    return ThreadpoolController()
