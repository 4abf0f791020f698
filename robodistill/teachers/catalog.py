"""Which teachers there are and how they are named: `NAME` or `NAME:MODEL,option=value`, such as `clip:side=336`.

`MODEL` is a hub name (`OWNER/NAME`, or `OWNER/NAME@REVISION`) or a local folder; left out, it is the default of the
table below. Only facts stand here, so that listing teachers loads no library.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from robodistill.errors import BadInput


@dataclass(frozen=True)
class Entry:
    """One kind of teacher."""

    module: str
    factory: str
    """Class in `module`; called with the argument of the spec, and with `capture` or `device` where `takes` says so."""
    about: str
    can: tuple[str, ...]
    """Of image, text, masks, phrases, prompts: what `registry` loads it as."""
    takes: tuple[str, ...] = ("device",)
    model: str = ""
    """Hub name of the default weights; empty where none are needed."""
    kinds: Mapping[str, str] = field(default_factory=dict)
    """`model_type` in a model's config.json -> the class of transformers that loads it."""


HERE = "robodistill.teachers"
TEACHERS: dict[str, Entry] = {
    "builtin": Entry(
        f"{HERE}.builtin.teacher",
        "Builtin",
        "small encoder that ships with the package: simulated things, closed vocabulary",
        ("image", "text"),
    ),
    "clip": Entry(
        f"{HERE}.clip",
        "Clip",
        "CLIP's patches, aligned with text",
        ("image", "text"),
        model="openai/clip-vit-base-patch16",
        kinds={"clip": "CLIPModel"},
    ),
    "siglip": Entry(
        f"{HERE}.siglip",
        "Siglip",
        "SigLIP's or SigLIP 2's patches (fixed resolution, not NaFlex), aligned with text",
        ("image", "text"),
        model="google/siglip2-base-patch16-256",
        kinds={"siglip": "SiglipModel"},
    ),
    "dinov2": Entry(
        f"{HERE}.dino",
        "Dino",
        "DINOv2's patches: parts and correspondence, no text",
        ("image",),
        takes=("device", "name"),
        model="facebook/dinov2-with-registers-base",
        kinds={"dinov2": "Dinov2Model", "dinov2_with_registers": "Dinov2WithRegistersModel"},
    ),
    "dinov3": Entry(
        f"{HERE}.dino",
        "Dino",
        "DINOv3's patches (ViT or ConvNeXt): parts and correspondence, no text",
        ("image",),
        takes=("device", "name"),
        model="facebook/dinov3-vits16-pretrain-lvd1689m",
        kinds={"dinov3_vit": "DINOv3ViTModel", "dinov3_convnext": "DINOv3ConvNextModel"},
    ),
    "sam": Entry(
        f"{HERE}.sam",
        "Sam",
        "SAM's encoder, masks without prompts, and its decoder on given features",
        ("image", "masks", "prompts"),
        model="facebook/sam-vit-base",
        kinds={"sam": "SamModel"},
    ),
    "sam2": Entry(
        f"{HERE}.sam",
        "Sam2",
        "SAM 2's encoder, masks without prompts, and its decoder on given features",
        ("image", "masks", "prompts"),
        model="facebook/sam2.1-hiera-small",
        # The hub's checkpoints say sam2_video; they hold the image model and a memory for video, not used here.
        kinds={"sam2": "Sam2Model", "sam2_video": "Sam2Model"},
    ),
    "clipseg": Entry(
        f"{HERE}.clipseg",
        "ClipSeg",
        "relevancy of given phrases in an image",
        ("phrases",),
        model="CIDAS/clipseg-rd64-refined",
        kinds={"clipseg": "CLIPSegForImageSegmentation"},
    ),
    "superpixels": Entry(
        f"{HERE}.superpixels", "Superpixels", "regions from colour and depth edges, no weights", ("masks",), takes=()
    ),
    "truth": Entry(
        f"{HERE}.truth",
        "TruthTeacher",
        "features painted from a simulated capture's ground truth",
        ("image", "text", "masks"),
        takes=("capture",),
    ),
}


def parse_spec(spec: str) -> tuple[str, str]:
    """Split `name:argument`; the argument may be empty.

    Raises:
        BadInput: No teacher has that name.
    """
    name, _, argument = spec.partition(":")
    if name not in TEACHERS:
        known = ", ".join(TEACHERS)
        raise BadInput(f"there is no teacher {name!r}; known are {known} (NAME or NAME:MODEL,option=value)")
    return name, argument


def parse_argument(name: str, argument: str, defaults: Mapping[str, int | str]) -> tuple[str, dict[str, int | str]]:
    """Split `MODEL,option=value,...` into the model and every option.

    Args:
        defaults: The options this teacher knows; a number as default asks for a whole number >= 1 (0: chosen by model).

    Raises:
        BadInput: An option that is not known or not a number.
    """
    pieces = argument.split(",") if argument else []
    options = dict(defaults)
    # From the end, because a folder's name may hold commas.
    while pieces and "=" in pieces[-1]:
        key, _, value = pieces.pop().partition("=")
        if key not in defaults:
            raise BadInput(f"{name}:{argument}: there is no option {key!r}; known are {', '.join(defaults) or 'none'}")
        if isinstance(defaults[key], int):
            if not value.isdecimal() or int(value) < 1:
                raise BadInput(f"{name}:{argument}: {key} must be a whole number >= 1, got {value!r}")
            value = int(value)
        options[key] = value
    return ",".join(pieces) or TEACHERS[name].model, options


def teachers_of(model_type: str) -> list[str]:
    """Names of the teachers that read models of a `model_type`."""
    return [name for name, entry in TEACHERS.items() if model_type in entry.kinds]
