"""One door to all recorded forms: which one a path is, is told by the files that only this form has."""

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

from robodistill.capture import folder, scenes7, tum
from robodistill.capture.frame import Capture
from robodistill.errors import BadInput, UnknownCaptureFormat

FORMS: dict[str, tuple[str, Callable[[Path], bool]]] = {
    "folder": ("a nerfstudio-style folder with transforms.json", lambda path: _index(path).is_file()),
    "tum": ("a TUM RGB-D folder with rgb.txt", lambda path: (path / "rgb.txt").is_file()),
    "7scenes": (
        "a 7-Scenes-style folder with frame-*.pose.txt",
        lambda path: path.is_dir() and any(scenes7.POSE.fullmatch(entry.name) for entry in path.iterdir()),
    ),
    "rosbag": (
        "a rosbag2 folder with metadata.yaml, or a .mcap or .db3 file",
        lambda path: (path / "metadata.yaml").is_file() or (path.is_file() and path.suffix in (".mcap", ".db3")),
    ),
}
"""Name -> what it is and how it is recognised, in the order they are tried."""


def open_capture(path: Path | str, **options: Any) -> Capture:
    """Open a recording in whichever form it is.

    Args:
        options: Go to the form's reader: see `TumCapture`, `SevenScenesCapture`, `BagCapture`.

    Raises:
        UnknownCaptureFormat: The path does not exist or is of no known form.
        BadInput: The form's reader has no such option.
        CaptureError: The form's own errors.
    """
    path = Path(path)
    form = find_form(path)
    reader = _reader(form)
    known = [name for name in inspect.signature(reader).parameters if name != "path"]
    if unknown := sorted(options.keys() - set(known)):
        raise BadInput(f"{path} is {FORMS[form][0]}; it has no option {unknown}, but {known}")
    return reader(path, **options)


def find_form(path: Path) -> str:
    """Key of `FORMS` that `path` is.

    Raises:
        UnknownCaptureFormat: None of them.
    """
    for form, (_, is_form) in FORMS.items():
        try:
            if is_form(path):
                return form
        except (OSError, ValueError) as error:
            raise UnknownCaptureFormat(f"{path} cannot be looked at: {error}") from None
    given = "is none of them" if path.exists() else "does not exist"
    valid = "; ".join(what for what, _ in FORMS.values())
    raise UnknownCaptureFormat(f"{path} {given}; what can be read: {valid}")


def _index(path: Path) -> Path:
    return path / folder.INDEX if path.is_dir() else path if path.suffix == ".json" else path / folder.INDEX


def _reader(form: str) -> Callable[..., Capture]:
    if form == "rosbag":
        from robodistill.capture.bag import BagCapture

        return BagCapture
    return {"folder": folder.FolderCapture, "tum": tum.TumCapture, "7scenes": scenes7.SevenScenesCapture}[form]
