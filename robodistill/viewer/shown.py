"""A field as one browser shows it: its edits, its colours, what is selected, and the poses of its parts."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from robodistill.errors import BadInput
from robodistill.field.gaussians import GaussianField
from robodistill.language.selection import Selection
from robodistill.viewer.canvas import Canvas
from robodistill.viewer.prepared import Prepared
from robodistill.viewer.scenery import add_box
from robodistill.viewer.splats import Layer


class ShownField:
    """One field on one page."""

    def __init__(self, name: str, path: Path, prepared: Prepared, canvas: Canvas, scene: Any) -> None:
        self.name, self.path, self.prepared = name, path, prepared
        self._canvas, self._scene, self._opened = canvas, scene, prepared.field
        self.selection: Selection | None = None
        self._colors: Tensor | None = None
        self._history: list[tuple[Prepared, Selection | None]] = []
        self._labels: np.ndarray | None = None
        self._box: Any = None
        self._drawn: list[str] = []
        self._visible = True
        self._draw()

    @property
    def field(self) -> GaussianField:
        """As it is now."""
        return self.prepared.field

    @property
    def edits(self) -> int:
        """How many can be undone."""
        return len(self._history)

    def paint(self, colors: Tensor | None) -> None:
        """Colours (N, 3) in [0, 1] in place of the field's own, which None brings back."""
        self._colors = colors
        self._draw()

    def select(self, selection: Selection | None) -> None:
        """What edits act on; its box is drawn if it was found."""
        if self._box is not None:
            self._box.remove()
            self._box = None
        self.selection = selection if selection is not None and selection.found else None
        if self.selection is not None and self.selection.box is not None:
            self._box = add_box(self._scene, f"/selection {self.name}", self.selection.box, self.selection.phrase)

    def change(self, prepared: Prepared, selection: Selection | None) -> None:
        """Show an edited field; `undo` brings back what was."""
        self._history.append((self.prepared, self.selection))
        self._replace(prepared, selection)

    def undo(self) -> None:
        """Take the last edit back.

        Raises:
            BadInput: There is none.
        """
        if not self._history:
            raise BadInput("nothing to undo")
        self._replace(*self._history.pop())

    def save(self, name: str) -> Path:
        """Write the field as it is now beside the one it was made from.

        Raises:
            BadInput: `name` is no plain NAME.field, or it exists.
        """
        if Path(name).name != name or not name.endswith(".field") or name.startswith("."):
            raise BadInput(f"{name!r}: a name that ends in .field is needed, without a folder")
        return self.field.save(self.path.parent / name)

    @property
    def is_split(self) -> bool:
        """Whether parts are layers of their own."""
        return self._labels is not None

    def split(self, labels: np.ndarray) -> bool:
        """Show parts as layers of their own, by labels (N,) int of the field as it was opened, -1 for what stays.

        Returns:
            Whether it is so; not while others' labels hold, or an edit has other Gaussians.
        """
        if self._labels is None and self.field.means is self._opened.means:
            self._labels = labels
            self._draw()
        return self._labels is labels

    def pose(self, Ts_world_part: np.ndarray) -> None:
        """Pose the parts (P, 4, 4) of a field that is split."""
        poses = {self._layer_name(k): T for k, T in enumerate(Ts_world_part)}
        self._canvas.move({name: T for name, T in poses.items() if name in self._drawn})

    def set_visible(self, visible: bool) -> None:
        """Hide the field or show it again."""
        self._visible = visible
        for name in self._drawn:
            self._canvas.set_visible(name, visible)

    def _replace(self, prepared: Prepared, selection: Selection | None) -> None:
        if prepared.field.means is not self._opened.means:
            self._labels = None
        self.prepared, self._colors = prepared, None
        self.select(selection)
        self._draw()

    def _layer_name(self, part: int | None) -> str:
        return self.name if part is None else f"{self.name}: {'rest' if part < 0 else f'part {part}'}"

    def _draw(self) -> None:
        layers = {self._layer_name(None): Layer(self.field, self._colors)}
        if self._labels is not None:
            labels = torch.from_numpy(self._labels)
            layers = {}
            for part in labels.unique().tolist():
                mask = labels == part
                colors = None if self._colors is None else self._colors[mask]
                layers[self._layer_name(part)] = Layer(self.field.select(mask), colors)
        for name in set(self._drawn) - set(layers):
            self._canvas.remove(name)
        for name, layer in layers.items():
            self._canvas.show(name, layer)
            self._canvas.set_visible(name, self._visible)
        self._drawn = list(layers)
