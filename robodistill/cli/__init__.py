"""The command line: one verb a module, each a dataclass whose fields are its options. Help starts without torch.

Exit codes: 0 done, 2 wrong use or bad input, 3 an honest "no", 1 a defect, 130 interrupted.
"""

import contextlib
import importlib
import io
import json
import logging
import os
import re
import sys
from typing import Any

from robodistill import __version__
from robodistill.errors import RobodistillError

# verb: (module, class, what it does)
VERBS = {
    "sim tabletop": ("sim", "Tabletop", "a physically settled table scene with ground truth"),
    "sim articulated": ("sim", "Articulated", "scan, demonstration film and truth of an articulated object"),
    "build": ("build", "Build", "capture to field"),
    "render": ("render", "Render", "pictures of a field"),
    "query": ("query", "Query", "where in a field is what a phrase names?"),
    "segment": ("segment", "Segment", "label the pixels of a view from a list of words"),
    "prompt": ("prompt", "Prompt", "select by a click or a box on a view"),
    "parts": ("parts", "Parts", "group a field into parts at several scales"),
    "edit": ("edit", "Edit", "delete, extract, recolour or move what a phrase names"),
    "locate": ("locate", "Locate", "where in a field was a picture taken, without a guess?"),
    "view": ("view", "View", "results in a web browser"),
    "launch": ("launch", "Launch", "a ROS 2 launch file, with or without a ROS installation"),
    "replay-bag": ("replay_bag", "ReplayBag", "a recording as live ROS 2 topics"),
    "grasp": ("grasp", "Grasp", "how can a robot take hold of what a phrase names?"),
    "update": ("update", "Update", "bring a field up to date after something moved"),
    "hand-eye": ("hand_eye", "HandEye", "where is the camera on a robot? calibrate or check"),
    "register": ("register", "Register", "where on a robot's table does a field's object stand?"),
    "plan": ("plan", "Plan", "two arms repeat a demonstration: a plan free of contact"),
    "replay": ("replay", "Replay", "scan and film to two arms in motion, the whole chain with a report"),
    "simulate": ("simulate", "Simulate", "run a trajectory in physics and judge it"),
    "track": ("track", "Track", "follow an object's parts through a film"),
    "bench": ("bench", "Bench", "measure against ground truth and against other methods"),
    "demo": ("demo", "Demo", "the whole chain on the sample that ships with the package"),
    "doctor": ("doctor", "Doctor", "what is installed, what each missing part would add"),
}


def main(argv: list[str] | None = None) -> int:
    """Run a verb; returns the exit code."""
    # before torch loads: idle threads that spin cost torch itself, and all others, whole time slices
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    argv = sys.argv[1:] if argv is None else argv
    if not argv or argv[0] in ("-h", "--help"):
        print(_overview())
        return 0 if argv else 2
    if argv[0] == "--version":
        print(f"robodistill {__version__}")
        return 0
    words = 2 if " ".join(argv[:2]) in VERBS else 1
    name = " ".join(argv[:words])
    if name not in VERBS:
        return _fail(f"unknown verb {name!r}; known are {', '.join(VERBS)}", 2)
    module, kind, _ = VERBS[name]
    verb = _parse(getattr(importlib.import_module(f"robodistill.cli.{module}"), kind), name, argv[words:])
    if isinstance(verb, int):
        return verb
    return _run(verb, name)


def _overview() -> str:
    width = max(map(len, VERBS)) + 2
    lines = [f"  {name:<{width}}{summary}" for name, (_, _, summary) in VERBS.items()]
    return "\n".join(
        [
            "usage: robodistill VERB ...",
            "",
            *lines,
            "",
            "robodistill VERB --help tells a verb's options; --version the version",
        ]
    )


def _parse(kind: type, name: str, argv: list[str]) -> Any:
    """The verb's dataclass, or an exit code."""
    import tyro

    told = io.StringIO()
    try:
        with contextlib.redirect_stderr(told):
            return tyro.cli(kind, prog=f"robodistill {name}", args=argv, config=(tyro.conf.FlagCreatePairsOff,))
    except BrokenPipeError:
        return _unread()
    except SystemExit as stop:
        if not stop.code:
            return 0
        # tyro draws a box of several lines; the contract is one
        text = re.sub(r"[╭╮╰╯│─]+", " ", told.getvalue())
        return _fail(f"{name}: {' '.join(text.split())}", 2)


def _run(verb: Any, name: str) -> int:
    from robodistill.cli.console import Console

    logging.basicConfig(format="%(message)s", level=logging.WARNING, stream=sys.stderr)
    with Console(quiet=not sys.stderr.isatty()) as console:
        try:
            result = verb.run(console)
        except RobodistillError as error:
            if verb.json:
                known = getattr(error, "answer", {})
                print(json.dumps(known | {"error": type(error).__name__, "message": str(error)}, default=str))
            console.close()
            return _fail(f"{name}: {error}", error.exit_code)
        except KeyboardInterrupt as stop:
            console.close()
            return _fail(f"{name}: interrupted {stop}".rstrip(), 130)
    lines = [json.dumps(result, default=str)] if verb.json else verb.lines(result)
    try:
        print(*lines, sep="\n", flush=True)
    except BrokenPipeError:
        return _unread()
    return 0


def _unread() -> int:
    """A reader such as `head` had enough; the work is done."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0


def _fail(message: str, code: int) -> int:
    print(f"robodistill: {' '.join(message.split())}", file=sys.stderr)
    return code
