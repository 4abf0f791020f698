"""Files of a capture, found and read with named errors."""

import json
import os
from pathlib import Path

from robodistill.errors import BadMetadata, MissingImage, UnreadableImage


def read_file(path: Path) -> bytes:
    """Content of an image file.

    Raises:
        MissingImage: There is no such file.
        UnreadableImage: It is a directory, empty, or may not be read.
    """
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise MissingImage(f"{path} does not exist, and the capture names it") from None
    except (OSError, ValueError) as error:  # ValueError: a null byte in the name
        raise UnreadableImage(f"{path} cannot be read: {error}") from None
    if not data:
        raise UnreadableImage(f"{path} is empty; a PNG or JPEG image is needed")
    return data


def read_json(path: Path) -> dict:
    """The object in a JSON file.

    Raises:
        BadMetadata: Missing, not UTF-8, not JSON, or not an object.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:  # UnicodeDecodeError and JSONDecodeError are ValueErrors
        raise BadMetadata(f"{path} cannot be read as JSON: {error}") from None
    if not isinstance(content, dict):
        raise BadMetadata(f"{path} must hold a JSON object, it holds a {type(content).__name__}")
    return content


def read_lines(path: Path) -> list[tuple[int, str]]:
    """(line number, text) of the lines that are neither empty nor comments.

    Raises:
        BadMetadata: Missing, a directory, or not UTF-8 text.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise BadMetadata(f"{path} cannot be read as text: {error}") from None
    lines = ((number, line.strip()) for number, line in enumerate(text.splitlines(), 1))
    return [(number, line) for number, line in lines if line and not line.startswith("#")]


def inside(root: Path, name: object) -> Path:
    """Path of the file `name` that metadata in `root` names.

    Raises:
        BadMetadata: Not text, or it leads out of `root`.
    """
    if not isinstance(name, str) or not name:
        raise BadMetadata(f"{root}: a file must be named by text, got {name!r}")
    relative = os.path.normpath(name)
    if os.path.isabs(relative) or relative.split(os.sep)[0] == "..":
        raise BadMetadata(f"{root}: {name!r} leads out of the capture's folder")
    return root / relative
