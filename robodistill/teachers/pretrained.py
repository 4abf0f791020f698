"""`Pretrained`: what teachers that run through transformers share: a spec, a folder, a model loaded on first use."""

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from robodistill.capture.read import read_json
from robodistill.errors import BadInput, MissingPart
from robodistill.teachers import catalog, hub, images

log = logging.getLogger(__name__)
_LOADING = threading.RLock()


class Pretrained:
    """A model of transformers. Making one reads nothing: folder, configuration and weights come on first use.

    Loaded models are shared by all teachers of a process that name the same folder and device; the last four are kept.
    """

    options: dict[str, int | str] = {}
    """Known options of the spec and their defaults; 0 is chosen from the model."""
    norm = images.Norm()
    """Used where the model's folder does not say."""

    def __init__(self, name: str, argument: str = "", device: str | torch.device = "cpu") -> None:
        """Read the spec.

        Raises:
            BadInput: An option that is not known.
        """
        self.name = name
        self.source, self.options = catalog.parse_argument(name, argument, type(self).options)
        if Path(self.source).expanduser().is_dir():
            self.source = str(Path(self.source).expanduser().resolve())
        given = [f"{key}={value}" for key, value in self.options.items() if value != type(self).options[key]]
        self.spec = f"{name}:{','.join([self.source, *given])}"
        self.device = torch.device(device)

    @cached_property
    def folder(self) -> Path:
        """Where the model is, fetched where it must be."""
        return hub.find_model(self.name, self.source)

    @cached_property
    def kind(self) -> str:
        """Class of transformers that loads the model, by what its config.json says it is."""
        kinds = catalog.TEACHERS[self.name].kinds
        model_type = read_json(self.folder / "config.json").get("model_type")
        if model_type not in kinds:
            others = catalog.teachers_of(model_type)
            hint = f"; {model_type} is read by the teacher {' or '.join(others)}" if others else ""
            raise BadInput(
                f"{self.spec}: config.json says model_type {model_type!r}, needed is {' or '.join(kinds)}{hint}"
            )
        return kinds[model_type]

    @cached_property
    def config(self) -> Any:
        """transformers' configuration of the model."""
        config_class = _class(self.kind).config_class
        try:
            with _quiet():
                return config_class.from_pretrained(self.folder)
        # transformers checks values by rules of its own, with errors of its own.
        except Exception as error:
            raise BadInput(f"{self.folder / 'config.json'} cannot be read: {_first_line(error)}") from error

    @property
    def model(self) -> nn.Module:
        """The model in evaluation mode on `device`, float32, without gradients."""
        with _LOADING:
            return _load(self.folder, self.kind, str(self.device))

    @cached_property
    def loaded_norm(self) -> images.Norm:
        """How pixels are normalised: by the model's folder, else by what is documented for the model."""
        return images.read_norm(self.folder, type(self).norm)

    @cached_property
    def tokenizer(self) -> Any:
        """The model's own tokenizer."""
        from transformers import AutoTokenizer

        try:
            return AutoTokenizer.from_pretrained(self.folder, local_files_only=True, trust_remote_code=False)
        except ImportError as error:
            raise MissingPart(f"{self.spec}: its tokenizer needs a library: {_first_line(error)}") from None
        except (OSError, ValueError, KeyError) as error:
            raise BadInput(f"{self.spec}: the folder has no tokenizer that can be read: {_first_line(error)}") from None

    def tokens(self, texts: list[str], limit: int, padding: bool | str) -> dict[str, Tensor]:
        """Token ids of texts, none of them cut.

        Raises:
            BadInput: A text is longer than `limit` tokens.
        """
        fill = {"padding": padding, "max_length": limit} if padding == "max_length" else {"padding": padding}
        read = self.tokenizer(texts, truncation=False, return_attention_mask=True, **fill)
        for text, mask in zip(texts, read["attention_mask"], strict=True):
            if sum(mask) > limit:
                raise BadInput(f"{text!r} is {sum(mask)} tokens long, {self.spec} reads at most {limit}")
        return {key: torch.tensor(read[key], device=self.device) for key in ("input_ids", "attention_mask")}

    def pixels(self, rgb, size: tuple[int, int]) -> Tensor:
        """(1, 3, h, w) normalised image of a (H, W, 3) uint8 one, on `device`."""
        return images.prepare(rgb, size, self.loaded_norm, self.device)


def _class(name: str) -> Any:
    try:
        import transformers

        return getattr(transformers, name)
    except (ImportError, AttributeError, RuntimeError) as error:
        raise MissingPart(f"{name} of transformers does not import ({_first_line(error)}): {hub.INSTALL}") from None


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence transformers: its bars and reports say nothing that is not said here, and break a progress display."""
    from transformers.utils import logging as theirs

    level, bars = theirs.get_verbosity(), theirs.is_progress_bar_enabled()
    theirs.set_verbosity_error()
    theirs.disable_progress_bar()
    try:
        yield
    finally:
        theirs.set_verbosity(level)
        if bars:
            theirs.enable_progress_bar()


@lru_cache(maxsize=4)
def _load(folder: Path, kind: str, device: str) -> nn.Module:
    """Read a model's weights."""
    model_class = _class(kind)
    log.info("loading %s from %s on %s", kind, folder, device)
    try:
        with _quiet():
            model, report = model_class.from_pretrained(
                folder, use_safetensors=True, local_files_only=True, dtype=torch.float32, output_loading_info=True
            )
    # What a broken file of weights raises is the business of three libraries, and safetensors' error has no base.
    except Exception as error:
        raise BadInput(f"{folder}: the model cannot be read: {_first_line(error)}") from error
    # transformers fills what is missing with random numbers: a teacher that looks right and knows nothing.
    if report["missing_keys"]:
        missing = sorted(report["missing_keys"])
        raise BadInput(f"{folder}: the weights lack {len(missing)} tensors of {kind}, such as {missing[0]}")
    return model.to(device).eval().requires_grad_(False)


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0][:160] if lines else type(error).__name__
