"""Fields that are loaded once and kept for requests."""

from pathlib import Path
from typing import Any

from robodistill.config import QueryConfig
from robodistill.errors import BadInput
from robodistill.language.query import Querier
from robodistill.pipeline.language import open_language


class LoadedField:
    """The last field that was asked, with its features and its text encoder; loaded anew when its file changes."""

    def __init__(self, teacher: str = "") -> None:
        self._teacher = teacher or None
        self.key: tuple | None = None
        """Changes when another field is loaded, or the same one in another state."""
        self.path: Path | None = None
        self.field: Any = None
        self.querier: Querier | None = None

    def open(self, requested: str, default: str) -> "LoadedField":
        """Load what a request names, or what the node's parameter does.

        Raises:
            BadInput: Neither names a field, or it cannot be read.
        """
        if not (requested or default):
            raise BadInput("no field: name one in the request, or set the node's parameter `field`")
        path = Path(requested or default).expanduser()
        index = path / "field.json"
        key = (path, index.stat().st_mtime_ns if index.exists() else None)
        if key != self.key:
            field, layer, text = open_language(path, self._teacher)
            self.path, self.field, self.querier = path, field, Querier(field, layer, text, QueryConfig())
            self.key = key
        return self
