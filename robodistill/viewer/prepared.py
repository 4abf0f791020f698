"""A field made ready for questions once, however many ask."""

import contextlib
import threading
from collections.abc import Callable
from typing import Generic, TypeVar

from torch import Tensor

from robodistill.config import PartsConfig, PromptConfig, QueryConfig
from robodistill.errors import RobodistillError
from robodistill.field.features import FeatureLayer
from robodistill.field.gaussians import GaussianField
from robodistill.language.prompt import Prompter
from robodistill.language.query import Querier
from robodistill.parts.parts import find_parts
from robodistill.pipeline.language import text_layer
from robodistill.teachers.teacher import TextTeacher

T = TypeVar("T")
_ANY = "thing"  # the first phrase of a field takes three times as long as the next


class _Once(Generic[T]):
    """Made by whoever comes first, while others wait; an error is made anew for each."""

    def __init__(self, make: Callable[[], T]) -> None:
        self._make, self._lock, self._made = make, threading.Lock(), []

    def __call__(self) -> T:
        with self._lock:
            if not self._made:
                self._made.append(self._make())
            return self._made[0]


class Prepared:
    """What phrases and clicks need of a field, made on first use: each a function without arguments."""

    def __init__(self, field: GaussianField, name: str) -> None:
        self.field = field
        self.language: Callable[[], tuple[FeatureLayer, TextTeacher]] = _Once(lambda: text_layer(field, name))
        """Features and the text encoder that they are compared with; raises `BadInput` where there are none."""
        self.querier: Callable[[], Querier] = _Once(lambda: Querier(field, *self.language(), QueryConfig()))
        """For phrases; raises as `language`."""
        layer = field.layer() if field.features else None
        self.prompter: Callable[[], Prompter] = _Once(lambda: Prompter(field, layer, PromptConfig()))
        """For clicks."""
        self.groups: Callable[[], Tensor] = _Once(
            lambda: find_parts(field, PartsConfig(), layer) if field.groups is None else field.groups
        )
        """(N, S) parts at S scales, the field's own or found now."""

    def warm_up(self) -> None:
        """Make ready what is asked for most; a field without words says so when it is asked."""
        for make in (lambda: self.querier()(_ANY), self.prompter):
            with contextlib.suppress(RobodistillError):
                make()
