"""A headless Chromium, driven over its DevTools protocol: open pages, click, type, look at pictures."""

import base64
import contextlib
import json
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np

PROGRAM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
_OPTIONS = ("--headless=new", "--no-sandbox", "--no-first-run", "--disable-gpu-sandbox", "--disable-dev-shm-usage")
_DRAWING = ("--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--ignore-gpu-blocklist")


class Chromium:
    """A browser process of its own, without a display and without a graphics card."""

    def __init__(self, width: int = 1280, height: int = 800) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="chromium-"))
        places = [f"--user-data-dir={self._folder}", "--remote-debugging-port=0", f"--window-size={width},{height}"]
        self._process = subprocess.Popen(
            [PROGRAM, *_OPTIONS, *_DRAWING, *places, "about:blank"],
            stderr=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
        )
        port = self._folder / "DevToolsActivePort"
        wait_until(lambda: port.is_file() and len(port.read_text().split()) > 1, 30)
        number, path = port.read_text().split()
        self._link = _Link(f"ws://127.0.0.1:{number}{path}")

    def open(self, address: str, script: str = "") -> "Page":
        """A page in a tab of its own; a script, in JavaScript, runs before any of the page's."""
        target = self._link("Target.createTarget", url="about:blank", newWindow=True)["targetId"]
        session = self._link("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        page = Page(self._link, session, target)
        if script:
            page("Page.addScriptToEvaluateOnNewDocument", source=script)
        page.go(address)
        return page

    def close(self) -> None:
        """End the process."""
        self._link.close()
        self._process.terminate()
        self._process.wait(20)
        shutil.rmtree(self._folder, ignore_errors=True)


class Page:
    """One tab."""

    def __init__(self, link: "_Link", session: str, target: str) -> None:
        self._link, self._session, self._target = link, session, target
        self("Page.enable")
        self("Runtime.enable")
        self("Emulation.setFocusEmulationEnabled", enabled=True)

    def __call__(self, method: str, **parameters: object) -> dict:
        """A command of the DevTools protocol."""
        return self._link(method, self._session, **parameters)

    def go(self, address: str) -> None:
        """Load an address."""
        self("Page.navigate", url=address)
        wait_until(lambda: self.run("document.readyState") == "complete", 90)

    def resize(self, width: int, height: int) -> None:
        """Lay the page out for another size, pixels."""
        self("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)

    def close(self) -> None:
        """Close the tab."""
        self._link("Target.closeTarget", targetId=self._target)

    def run(self, script: str) -> object:
        """The value of an expression of JavaScript."""
        answer = self("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def text(self) -> str:
        """All that can be read on the page."""
        return self.run("document.body ? document.body.innerText : ''") or ""

    def wait_for(self, words: str, seconds: float = 60) -> None:
        """Wait until some words can be read on the page."""
        try:
            wait_until(lambda: words in self.text(), seconds)
        except TimeoutError:
            raise TimeoutError(f"{words!r} did not appear; the page reads: {self.text()}") from None

    def click(self, x: float, y: float) -> None:
        """Press the left button at a place of the page, pixels."""
        self("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y)
        for kind in ("mousePressed", "mouseReleased"):
            self("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    def press(self, words: str) -> None:
        """Click on the last visible element with exactly this text: a button, a tab, a row of a list."""
        self._hit(_PLACE_OF_TEXT % json.dumps(words), words)

    def type(self, label: str, words: str, enter: bool = False) -> None:
        """Replace what the input with this label holds."""
        self._hit(_PLACE_OF_INPUT % json.dumps(label), label)
        self.run("document.activeElement.select && document.activeElement.select()")
        self("Input.insertText", text=words)
        if enter:
            self.key("Enter", 13)

    def choose(self, label: str, words: str) -> None:
        """Take a row of the list with this label."""
        self._hit(_PLACE_OF_INPUT % json.dumps(label), label)
        self.press(words)

    def _hit(self, script: str, words: str) -> None:
        """Click on an element; again if it moved away from under the pointer and did not get the click."""
        for _ in range(5):
            self.click(*self._place(script, words))
            with contextlib.suppress(TimeoutError):
                wait_until(lambda: self.run("window.hit"), 5)
                return
        raise TimeoutError(f"{words!r} does not get clicks; the page reads: {self.text()}")

    def _place(self, script: str, words: str) -> list[float]:
        """Where an element is, once it no longer moves and nothing lies over it: panels open in slow motion."""
        seen: list[list[float] | None] = [None]

        def still() -> list[float] | None:
            seen.append(self.run(script))
            return seen[-1] if seen[-1] == seen[-2] else None

        try:
            return wait_until(still, 30, every=0.1)
        except TimeoutError:
            raise TimeoutError(f"{words!r} cannot be clicked on; the page reads: {self.text()}") from None

    def images(self) -> list[list[float]]:
        """Width, height and mean red, green, blue (0 to 255) of each image on the page."""
        return self.run(_IMAGES)

    def key(self, name: str, code: int) -> None:
        """Press a key."""
        text = "\r" if name == "Enter" else ""
        self("Input.dispatchKeyEvent", type="keyDown", key=name, code=name, windowsVirtualKeyCode=code, text=text)
        self("Input.dispatchKeyEvent", type="keyUp", key=name, code=name, windowsVirtualKeyCode=code)

    def picture(self) -> np.ndarray:
        """(H, W, 3) uint8 RGB of the page as it is shown."""
        data = base64.b64decode(self("Page.captureScreenshot", format="png")["data"])
        return cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)[..., ::-1]


def wait_until(true: Callable[[], object], seconds: float, every: float = 0.05) -> object:
    """The first value that holds.

    Raises:
        TimeoutError: None in time.
    """
    end = time.monotonic() + seconds
    while not (value := true()):
        if time.monotonic() > end:
            raise TimeoutError
        time.sleep(every)
    return value


class _Link:
    """Commands and answers over one WebSocket; events are dropped."""

    def __init__(self, address: str) -> None:
        from websockets.sync.client import connect

        self._socket = connect(address, max_size=None)
        self._count = 0

    def __call__(self, method: str, session: str | None = None, **parameters: object) -> dict:
        self._count += 1
        message = {"id": self._count, "method": method, "params": parameters}
        self._socket.send(json.dumps(message | ({"sessionId": session} if session else {})))
        while (answer := json.loads(self._socket.recv(timeout=120))).get("id") != self._count:
            pass
        assert "error" not in answer, (method, answer["error"])
        return answer["result"]

    def close(self) -> None:
        self._socket.close()


_IMAGES = """[...document.images].filter(i => i.complete && i.naturalWidth).map(i => {
  const c = document.createElement('canvas'); c.width = c.height = 1;
  const x = c.getContext('2d'); x.imageSmoothingQuality = 'high'; x.drawImage(i, 0, 0, 1, 1);
  return [i.naturalWidth, i.naturalHeight, ...x.getImageData(0, 0, 1, 1).data.slice(0, 3)];
})"""
_PLACE = """  window.hit = false;
  e.addEventListener('click', () => { window.hit = true; }, {once: true, capture: true});
  e.scrollIntoView({block: 'center'});
  const r = e.getBoundingClientRect(), x = r.x + r.width / 2, y = r.y + r.height / 2;
  const top = document.elementFromPoint(x, y);
  return top && (e.contains(top) || top.contains(e)) ? [x, y] : null;
})()"""
_PLACE_OF_TEXT = (
    """(() => {
  const all = [...document.querySelectorAll('button, [role=tab], [role=option], label, span, div, a')].filter(
    e => e.innerText && e.innerText.trim() === %s && e.getClientRects().length);
  if (!all.length) return null;
  const e = all[all.length - 1];
"""
    + _PLACE
)
_PLACE_OF_INPUT = (
    """(() => {
  const words = %s;
  const label = [...document.querySelectorAll('label')].find(
    e => e.innerText.trim() === words && e.getClientRects().length);
  if (!label) return null;
  let e = label.htmlFor ? document.getElementById(label.htmlFor) : null;
  if (e && !/^(input|textarea)$/i.test(e.tagName)) e = null;
  for (let up = label.parentElement; up && !e; up = up.parentElement)
    e = [...up.querySelectorAll('input, textarea')].find(i => i.type !== 'hidden' && i.getClientRects().length);
  if (!e) return null;
"""
    + _PLACE
)
