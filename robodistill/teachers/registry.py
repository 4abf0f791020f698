"""Making teachers from their specs; what there is and how specs are written stands in `catalog`."""

import importlib
import importlib.util
from pathlib import Path
from typing import Any

import torch

from robodistill.errors import BadInput, MissingPart
from robodistill.teachers import hub
from robodistill.teachers.catalog import TEACHERS, parse_spec
from robodistill.teachers.teacher import ImageTeacher, MaskProposer, PhraseSegmenter, PromptDecoder, TextTeacher

_SAYS = {
    "image": "encodes images",
    "text": "reads text",
    "masks": "proposes masks",
    "phrases": "segments by phrases",
    "prompts": "decodes prompts",
}
_AUTO = ("clip", "siglip")
"""Best first: what `auto` stands for where its weights are cached; `builtin` where none are."""


def load_image_teacher(spec: str, capture: Path | None = None, device: str | torch.device = "cpu") -> ImageTeacher:
    """The dense image encoder of a spec; weights are read on first use.

    Args:
        spec: As in `catalog`, or `auto`.
        capture: Folder of the capture whose frames will be encoded; only `truth` looks at it.

    Raises:
        BadInput: No such teacher or option, or one that does not encode images.
        MissingPart: A teacher that is not there.
    """
    return _make(spec, "image", capture, device)


def load_text_teacher(spec: str, device: str | torch.device = "cpu") -> TextTeacher:
    """The text encoder of a spec; weights are read on first use.

    Raises:
        BadInput: No such teacher or option, or one that reads no text.
        MissingPart: A teacher that is not there.
    """
    return _make(spec, "text", None, device)


def load_mask_proposer(spec: str, capture: Path | None = None, device: str | torch.device = "cpu") -> MaskProposer:
    """The mask proposer of a spec; weights are read on first use.

    Raises:
        BadInput: No such teacher or option, or one that proposes no masks.
        MissingPart: A teacher that is not there.
    """
    return _make(spec, "masks", capture, device)


def load_phrase_segmenter(spec: str, device: str | torch.device = "cpu") -> PhraseSegmenter:
    """The phrase segmenter of a spec; raises as `load_text_teacher`."""
    return _make(spec, "phrases", None, device)


def load_prompt_decoder(spec: str, device: str | torch.device = "cpu") -> PromptDecoder:
    """The decoder of prompts of a spec; raises as `load_text_teacher`."""
    return _make(spec, "prompts", None, device)


def resolve_auto() -> str:
    """The best teacher of images and text that is here now: one whose default weights are cached, else `builtin`."""
    for name in _AUTO:
        model = TEACHERS[name].model
        if importlib.util.find_spec("transformers") and hub.cached_model(model):
            return f"{name}:{model}"
    return "builtin"


def _make(spec: str, ability: str, capture: Path | None, device: str | torch.device) -> Any:
    name, argument = parse_spec(_resolved(spec))
    entry = TEACHERS[name]
    if ability not in entry.can:
        able = ", ".join(other for other, it in TEACHERS.items() if ability in it.can)
        raise BadInput(f"the teacher {name} ({entry.about}) is not one that {_SAYS[ability]}; those are {able}")
    if importlib.util.find_spec(entry.module) is None:
        raise MissingPart(f"the teacher {name} ({entry.about}) does not ship with this version yet")
    factory = getattr(importlib.import_module(entry.module), entry.factory)
    given = {"capture": capture, "device": device, "name": name}
    return factory(argument, **{key: given[key] for key in entry.takes})


def _resolved(spec: str) -> str:
    return resolve_auto() if spec == "auto" else spec
