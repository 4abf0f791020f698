"""`bench viewer`: from `robodistill view` to the first picture, and from a phrase to its heat map, in a real browser.

A field of 100,000 Gaussians, a headless Chromium on the same machine without a graphics card. The first picture is
that of the first screenshot which shows one; for heat maps a script in the page looks at frames once they are drawn,
which would hold up a page that loads. Bars: 5 s, 0.5 s.
"""

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import torch

from robodistill.bench.chromium import PROGRAM, Chromium, Page, wait_until
from robodistill.bench.figures import Figures
from robodistill.bench.rows import BenchResult
from robodistill.config import BuildConfig
from robodistill.errors import MissingPart
from robodistill.field.gaussians import GaussianField
from robodistill.pipeline.build import build_field
from robodistill.progress import Progress
from robodistill.resources import find_resource

_COUNT = 100_000
_SIZE = (1000, 640)
_PANEL = 340  # pixels at the right that the page's panels cover
_PHRASES = ("table", "mug", "plate", "ball", "block")
_PICTURE = 8.0  # standard deviation of a screenshot's pixels, of 255, that shows something
_CHANGE = 5.0  # mean difference of a heat map from what was seen before
_WATCH = """(() => {
  const small = document.createElement('canvas'), side = 12;
  let next = 0;
  small.width = small.height = side;
  const pen = small.getContext('2d', {willReadFrequently: true});
  window.drawn = [];
  window.watched = false;
  document.addEventListener('keydown', event => {
    if (event.key !== 'Enter') return;
    window.entered = performance.timeOrigin + performance.now();
    window.drawn = [];
    window.watched = true;
  }, true);
  const ask = window.requestAnimationFrame.bind(window);
  window.requestAnimationFrame = then => ask(time => {
    then(time);
    const scene = [...document.querySelectorAll('canvas')].find(each => each.width && each.height);
    if (!scene || !window.watched || time < next) return;
    pen.drawImage(scene, 0, 0, side, side);
    next = performance.now() + 50;  // looking waits until the frame is drawn, which the page need not
    const seen = [...pen.getImageData(0, 0, side, side).data];
    const last = window.drawn[window.drawn.length - 1];
    if (!last || last[1].some((value, k) => value !== seen[k]))
      window.drawn.push([performance.timeOrigin + performance.now(), seen]);
  });
})()"""
"""While watched, keeps when frames were drawn, ms, that differ from the one before, each as a few pixels RGBA."""


def bench_viewer(seeds: Iterable[int], quick: bool, progress: Progress) -> BenchResult:
    """Rows. Seeds choose nothing here.

    Raises:
        MissingPart: There is no Chromium.
    """
    if PROGRAM is None:
        raise MissingPart("bench viewer needs Chromium: apt-get install chromium")
    figures, rounds = Figures(), 1 if quick else 3
    with tempfile.TemporaryDirectory() as parent:
        field = _large_field(Path(parent), progress)
        for k in range(rounds):
            browser = Chromium(*_SIZE)
            try:
                _round(figures, field, browser)
            finally:
                browser.close()
            progress("bench viewer", k + 1, rounds)
    return BenchResult(figures.rows())


def _large_field(parent: Path, progress: Progress) -> Path:
    """The sample's field with 100,000 Gaussians: some stand twice, a millimetre apart."""
    config = replace(BuildConfig(), hold_out=0)
    config = replace(config, features=replace(config.features, teacher="builtin"))
    sample = find_resource("assets/demo/tabletop")
    field = GaussianField.load(build_field(sample, parent / "sample.field", config, progress=progress).path)
    ids = torch.arange(_COUNT) % len(field)
    shift = 0.001 * torch.randn(_COUNT, 3, generator=torch.Generator().manual_seed(0))
    shift[: len(field)] = 0
    large = field.select(ids)
    return replace(large, means=large.means + shift).save(parent / "large.field")


def _round(figures: Figures, field: Path, browser: Chromium) -> None:
    command = [sys.executable, "-m", "robodistill.cli", "view", str(field), "--port", "18900"]
    start = time.time()
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        address = server.stdout.readline().strip()
        figures.add("100k Gaussians", "from the command", "address_s", time.time() - start, "s")
        page = _first_picture(figures, "from the command", browser, address, start)
        page.wait_for("1 shown", 60)
        _first_picture(figures, "a second browser", browser, address, time.time()).close()
        _questions(figures, page)
    finally:
        server.terminate()
        server.wait()
        server.stdout.close()


def _first_picture(figures: Figures, how: str, browser: Chromium, address: str, start: float) -> Page:
    page = browser.open(address, _WATCH)
    wait_until(lambda: page.picture()[:, :-_PANEL].std() > _PICTURE, 90, every=0.0)
    figures.add("100k Gaussians", how, "first_picture_s", time.time() - start, "s")
    return page


def _questions(figures: Figures, page: Page) -> None:
    for number, phrase in enumerate(_PHRASES):
        page.press("As it was seen")
        time.sleep(2)  # until the picture no longer becomes sharper
        page.run("window.drawn = []; window.watched = true")
        before = wait_until(lambda: page.run("window.drawn.length && window.drawn[0][1]"), 30)
        page.type("What is where?", phrase, enter=True)
        at = _when(page, partial(_differs, np.array(before, float)))
        page.wait_for(" ms.", 60)
        own = page.text().rsplit(" ms.", 1)[0].rsplit(" ", 1)[1]
        kind = "first phrase" if number == 0 else "phrase"
        figures.add("100k Gaussians", kind, "heat_map_ms", 1000 * at - page.run("window.entered"), "ms")
        figures.add("100k Gaussians", kind, "answer_ms", float(own), "ms")


def _differs(before: np.ndarray, seen: np.ndarray) -> bool:
    return bool(np.abs(seen - before).mean() > _CHANGE)


def _when(page: Page, is_it: Callable[[np.ndarray], bool]) -> float:
    """When the first frame was drawn that is what is looked for, seconds; watching ends with it."""

    def drawn() -> float:
        frames = page.run("window.drawn")
        return next((at / 1000 for at, seen in frames if is_it(np.array(seen, float))), 0.0)

    at = wait_until(drawn, 60)
    page.run("window.watched = false")
    return at
