"""Errors that a user can cause or meet: each says what was given and what would be valid.

Programmer errors are asserts; these are for input, files and missing parts. `exit_code` is the command line's.
"""


class RobodistillError(Exception):
    """Base of every error the package raises on purpose."""

    exit_code = 2


class BadInput(RobodistillError):
    """An argument or a file's content is not valid."""


class HonestNo(RobodistillError):
    """The work was done and the answer is "no": not found, not converged, no grasp, no plan."""

    exit_code = 3

    def __init__(self, message: str, answer: dict | None = None) -> None:
        """`answer` is what a "yes" would have told, as far as it is known; `--json` prints it."""
        super().__init__(message)
        self.answer = answer or {}


class MissingPart(RobodistillError):
    """An optional library, device or program is needed and not there; the message says how to get it."""


class UnsupportedVersion(BadInput):
    """A file was written by a version, or holds a key, that this one does not know."""


class CaptureError(BadInput):
    """Base of what can be wrong with recorded frames."""


class UnknownCaptureFormat(CaptureError):
    """The path is none of the capture forms that can be read."""


class EmptyCapture(CaptureError):
    """A capture without one usable frame."""


class BadMetadata(CaptureError):
    """A metadata file (transforms.json, pose list, intrinsics) cannot be parsed or lacks a key."""


class BadIntrinsics(CaptureError):
    """Focal length or principal point is missing, not finite, or out of the image."""


class BadPose(CaptureError):
    """A pose is not finite or its rotation is not orthonormal and right-handed."""


class MissingImage(CaptureError):
    """A colour or depth file that the capture names does not exist."""


class UnreadableImage(CaptureError):
    """An image file is truncated or not an image."""


class WrongSize(CaptureError):
    """An image's size does not fit its camera or its partner image."""


class BadDepth(CaptureError):
    """Depth has the wrong type, encoding or unit, or holds no measurement at all."""
