"""Work that is done side by side: in order, alone in each thread, and with its errors."""

import threading
import time

import numpy as np
import pytest
import torch
from threadpoolctl import threadpool_info

from robodistill.parallel import side_by_side, small_matrices


@pytest.fixture
def two_threads(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(torch, "get_num_threads", lambda: 2)


def test_results_are_in_the_order_of_the_items(two_threads):
    """Also where later ones are ready first; and two are worked on at a time."""
    both = threading.Barrier(2, timeout=20)

    def slow(k: int) -> tuple[int, int]:
        if k < 2:
            both.wait()  # comes only where the other is worked on, too
        time.sleep(0.02 * (k == 0))
        return k, threading.get_ident()

    found = side_by_side(slow, range(6))
    assert [k for k, _ in found] == list(range(6)) and len({thread for _, thread in found}) == 2
    assert side_by_side(slow, ()) == []


def test_work_inside_of_work_stays_in_its_thread(two_threads):
    """And a library computes with no threads of its own there."""

    def inner(_: int) -> tuple[int, int]:
        omp = [it["num_threads"] for it in threadpool_info() if it["user_api"] == "openmp"]
        return threading.get_ident(), max(omp, default=1)

    def outer(_: int) -> set[tuple[int, int]]:
        return set(side_by_side(inner, range(3)))

    for seen in side_by_side(outer, range(4)):
        assert len(seen) == 1 and next(iter(seen))[1] == 1


def test_the_first_error_is_raised(two_threads):
    """What had not begun by then is not."""
    begun = []

    def fails(k: int) -> None:
        begun.append(k)
        time.sleep(0.01)
        raise ValueError(f"item {k}")

    with pytest.raises(ValueError, match="item 0"):
        side_by_side(fails, range(200))
    assert len(begun) < 200


def test_small_matrices_are_multiplied_on_one_thread():
    """Inside only."""

    def blas() -> list[int]:
        np.ones((4, 4)) @ np.ones((4, 4))
        return [it["num_threads"] for it in threadpool_info() if it["user_api"] == "blas"]

    before = blas()
    assert set(small_matrices(blas)()) == {1} and blas() == before
