"""How long work tells how far it is, without knowing who shows it."""

from typing import Protocol


class Progress(Protocol):
    """Called often; must be quick."""

    def __call__(self, stage: str, done: int, total: int, note: str = "") -> None:
        """`done` of `total` of `stage`; `note` is a word on the state, such as a PSNR."""


def silent(stage: str, done: int, total: int, note: str = "") -> None:
    """Show nothing."""
