"""The Ask tab: phrases, clicks, labels."""

import asyncio
import time
from html import escape
from typing import Any

import numpy as np
import torch
from torch import Tensor

from robodistill.language.segment import label_gaussians
from robodistill.language.selection import Selection, select
from robodistill.report.pictures import label_colors
from robodistill.viewer.cameras import browser_camera
from robodistill.viewer.jobs import Job
from robodistill.viewer.page import Page
from robodistill.viewer.shown import ShownField
from robodistill.viewer.splats import heat_colors, selected_colors

_SIDE = 480  # pixels of the picture that clicks are understood in


class AskPanel:
    """Questions to the page's current field."""

    def __init__(self, page: Page) -> None:
        self._page, gui = page, page.client.gui
        with gui.add_form(None) as form:
            self._phrase = gui.add_text("What is where?", "", hint="Such as: red mug, or: handle of the red mug")
            ask = gui.add_button("Ask")
        form.on_submit(self._submitted)
        ask.on_click(lambda _: self.ask(self._phrase.value))
        self._heat = gui.add_checkbox("Heat map", True, hint="How well each place fits; else only what was found")
        self._clicks = gui.add_checkbox("Select by clicking", True, hint="A click on the picture is a point prompt")
        with gui.add_form(None) as labels:
            self._labels = gui.add_text("Label everything", "", hint="Words with commas between them")
            label = gui.add_button("Label")
        labels.on_submit(lambda _: self.label(self._labels.value))
        label.on_click(lambda _: self.label(self._labels.value))
        self._legend = gui.add_html("", visible=False)
        gui.add_button("As it was seen").on_click(lambda _: self.clear())
        page.client.scene.on_click()(self._clicked)

    async def _submitted(self, _: Any) -> None:
        """That its form was taken, the browser hears after the answer: it draws anew for that, which would go first."""
        await asyncio.to_thread(lambda: self.ask(self._phrase.value).thread.join(2.0))

    def ask(self, phrase: str) -> Job:
        """Look for a phrase; the answer comes as a heat map, a box and a line of text."""
        start = time.perf_counter()

        def work(job: Job, shown: ShownField) -> str:
            querier = shown.prepared.querier()
            if self._heat.value:  # this needs no answer, which may take longer
                self._show(job, shown, heat_colors(shown.field, querier.scores(phrase)))
                self._page.canvas.wait_drawn()
                found = querier(phrase)
            else:
                found = querier(phrase)
                self._show(job, shown, selected_colors(shown.field, found.mask(len(shown.field)) & found.found))
            with job.applying():
                shown.select(found)
                self._page.selection_changed()
            return f"{told(found)} {1000 * (time.perf_counter() - start):.0f} ms."

        return self._page.start(f"Ask “{phrase}”", work)

    def label(self, words: str) -> None:
        """Colour every Gaussian by the word that fits it best."""
        names = [word.strip() for word in words.split(",") if word.strip()]

        def work(job: Job, shown: ShownField) -> str:
            found = label_gaussians(*shown.prepared.language(), names)
            colors = torch.from_numpy(label_colors(found.numpy() + 1)).float() / 255
            shares = [float((found == k).float().mean()) for k in range(len(names))]
            with job.applying():
                shown.paint(colors)
                self._legend.content = _legend(names, shares)
                self._legend.visible = True
            return f"Labelled {len(found):,} Gaussians."

        self._page.start("Label", work)

    def clear(self) -> None:
        """The field's own colours, nothing selected."""

        def work(job: Job, shown: ShownField) -> str:
            self._show(job, shown, None)
            return ""

        self._page.start("Clear", work)

    def _show(self, job: Job, shown: ShownField, colors: Tensor | None, selection: Selection | None = None) -> None:
        with job.applying():
            self._legend.visible = False
            shown.paint(colors)
            shown.select(selection)
            self._page.selection_changed()

    async def _clicked(self, event: Any) -> None:
        if self._page.click_was_taken() or not self._clicks.value:
            return
        camera, T_world_camera = browser_camera(self._page.client.camera, _SIDE)
        u, v = (p * size - 0.5 for p, size in zip(event.screen_pos, (camera.width, camera.height), strict=True))

        def work(job: Job, shown: ShownField) -> str:
            result = shown.prepared.prompter()(camera, T_world_camera, point=(u, v))
            ids = result.selection.nonzero()[:, 0]
            selection = select(shown.field, ids, "what was clicked", result.score)
            self._show(job, shown, selected_colors(shown.field, result.selection), selection)
            return told(selection)

        # a job that changes the page may wait for the browser, whose answers come through this loop
        await asyncio.to_thread(self._page.start, "Click", work)


def told(found: Selection) -> str:
    """A selection in a line of Markdown."""
    if not found.found:
        return f"**“{found.phrase}” was not found**: {found.reason} (score {found.score:.2f})."
    at = ", ".join(f"{x:.3f}" for x in found.center)
    size = " × ".join(f"{100 * x:.1f}" for x in found.box.size)
    return f"**{found.phrase}** is at ({at}) m, {size} cm; score {found.score:.2f}, {len(found.gaussians):,} Gaussians."


def _legend(names: list[str], shares: list[float]) -> str:
    colors = label_colors(np.arange(1, len(names) + 1))
    rows = [
        f'<div><span style="display:inline-block;width:1em;height:1em;background:rgb({r},{g},{b})"></span> '
        f"{escape(name)} <small>{100 * share:.1f} %</small></div>"
        for name, share, (r, g, b) in zip(names, shares, colors.tolist(), strict=True)
    ]
    return f'<div style="padding:0 1em">{"".join(rows)}</div>'
