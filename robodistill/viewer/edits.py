"""The Edit tab: change what is selected, see it at once, take it back, save it."""

from collections.abc import Sequence

from robodistill.errors import BadInput
from robodistill.language.selection import select
from robodistill.pipeline.edit import apply_edit
from robodistill.viewer.jobs import Job
from robodistill.viewer.page import Page
from robodistill.viewer.prepared import Prepared
from robodistill.viewer.shown import ShownField


class EditPanel:
    """Edits of the page's current field."""

    def __init__(self, page: Page) -> None:
        self._page, gui = page, page.client.gui
        page.on_selection.append(self.refresh)
        self._acts_on = gui.add_markdown("")
        gui.add_button("Delete", hint="and close the hole").on_click(lambda _: self.edit("delete"))
        gui.add_button("Extract", hint="keep nothing else").on_click(lambda _: self.edit("extract"))
        self._color = gui.add_rgb("Colour", (60, 110, 220))
        gui.add_button("Paint").on_click(lambda _: self.edit("color", [c / 255 for c in self._color.value]))
        self._by = gui.add_vector3("Move by, m", (0.0, 0.0, 0.0), step=0.01)
        self._turn = gui.add_vector3("Turn by, °", (0.0, 0.0, 0.0), step=5.0)
        gui.add_button("Move").on_click(lambda _: self.edit("move", [*self._by.value, *self._turn.value]))
        gui.add_divider()
        self._undo = gui.add_button("Undo", disabled=True)
        self._undo.on_click(lambda _: self.undo())
        self._name = gui.add_text("Save as", "edited.field", hint="Beside the field it was made from")
        gui.add_button("Save").on_click(lambda _: self.save())
        self.refresh()

    def refresh(self) -> None:
        """The selection or the number of edits changed."""
        shown = self._page.shown
        chosen = None if shown is None else shown.selection
        words = "Nothing is selected: ask or click." if chosen is None else f"Acts on **{chosen.phrase}**."
        edits = 0 if shown is None else shown.edits
        self._acts_on.content = words + (f" {edits} edit{'s' * (edits > 1)} can be undone." if edits else "")
        self._undo.disabled = not edits

    def edit(self, change: str, values: Sequence[float] = ()) -> None:
        """One of `pipeline.edit.CHANGES` on what is selected."""

        def work(job: Job, shown: ShownField) -> str:
            chosen, before = shown.selection, shown.prepared
            if chosen is None:
                raise BadInput("nothing is selected: ask for something or click on it first")
            edited = apply_edit(before.field, chosen, change, values)
            ids = edited.selection.nonzero()[:, 0]
            selection = select(edited.field, ids, chosen.phrase, chosen.score) if len(ids) else None
            with job.applying():
                shown.change(Prepared(edited.field, shown.name), selection)
                self._page.selection_changed()
            return f"{change}: {len(edited.field):,} Gaussians now. {edited.note}"

        self._page.start(change.capitalize(), work)

    def undo(self) -> None:
        """Take the last edit back."""

        def work(job: Job, shown: ShownField) -> str:
            with job.applying():
                shown.undo()
                self._page.selection_changed()
            return f"Back to {len(shown.field):,} Gaussians."

        self._page.start("Undo", work)

    def save(self) -> None:
        """Write the field as it is now."""
        name = self._name.value
        self._page.start("Save", lambda job, shown: f"Saved as {shown.save(name)}.")
