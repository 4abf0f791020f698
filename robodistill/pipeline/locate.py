"""The verb `locate` on files: a field, one picture or several, intrinsics; and pictures of what was found."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from robodistill.capture.decode import read_depth, read_rgb
from robodistill.capture.frame import Frame
from robodistill.capture.resize import limit_size
from robodistill.config import InversionConfig, QueryConfig
from robodistill.errors import BadInput, MissingPart
from robodistill.field.gaussians import GaussianField
from robodistill.field.render import render
from robodistill.geometry.camera import Camera
from robodistill.inversion.estimate import PoseEstimate
from robodistill.inversion.locator import Locator, Proposer
from robodistill.inversion.object_pose import ObjectFinder
from robodistill.inversion.semantic import SemanticIndex
from robodistill.inversion.spine import PoseNetwork
from robodistill.inversion.twist import pose_error
from robodistill.language.query import Querier
from robodistill.pipeline.language import open_language
from robodistill.pipeline.picture import read_pose
from robodistill.progress import Progress, silent
from robodistill.report.page import Section
from robodistill.report.pictures import error_picture, rgb_picture
from robodistill.teachers.registry import load_image_teacher

COARSE = ("auto", "matches", "semantics", "spine")


@dataclass(frozen=True)
class LocateOptions:
    """What `locate` can be told beside its files."""

    depth_unit: float = 0.001
    """Metres per count of a depth PNG."""
    coarse: str = "auto"
    """Where hypotheses come from: matches and semantics (auto), or one of matches, semantics, spine."""
    object: str | None = None
    """Phrase of one thing of the field, whose pose is looked for instead of the whole scene's."""
    focal_known: bool = True
    """False looks for the focal length too."""
    previous: Path | None = None
    """JSON pose near which the camera may be."""
    stream: bool = False
    """The pictures are in order: each answer is a hypothesis for the next."""


def locate_images(
    field_path: Path,
    images: Sequence[Path],
    intrinsics: Path | None,
    depths: Sequence[Path] = (),
    options: LocateOptions | None = None,
    config: InversionConfig | None = None,
    progress: Progress = silent,
) -> list[PoseEstimate]:
    """One estimate for each picture.

    Args:
        field_path: The field.
        images: Colour.
        intrinsics: JSON with K (3x3), width, height; None takes the camera of the field's first view.
        depths: One for each picture, or none: 16-bit PNG along the optical axis, seen by the colour camera.

    Raises:
        BadInput: A file is not there or not what it should be, numbers of pictures differ, nothing is called that.
        MissingPart: The teacher that semantics need is not there.
    """
    options, config = options or LocateOptions(), config or InversionConfig()
    if options.coarse not in COARSE:
        raise BadInput(f"--coarse {options.coarse}: one of {', '.join(COARSE)} is needed")
    if not images:
        raise BadInput("no picture was given")
    if depths and len(depths) != len(images):
        raise BadInput(f"{len(depths)} depth images for {len(images)} pictures: give one for each, or none")
    field = GaussianField.load(field_path)
    if torch.cuda.is_available():
        field = field.to("cuda")
    frames = [
        read_frame(image, depths[k] if depths else None, intrinsics, field, options.depth_unit)
        for k, image in enumerate(images)
    ]
    previous = None if options.previous is None else read_pose(options.previous, field)[1]
    locator = open_locator(field, config, options, field_path, progress)
    found: list[PoseEstimate] = []
    for k, frame in enumerate(frames):
        progress("locate", k, len(frames))
        found.append(locator.locate(frame, previous=previous, focal_known=options.focal_known))
        if options.stream:
            previous = found[-1].T_world_camera if found[-1].converged else None
    progress("locate", len(frames), len(frames))
    return found


def save_estimates(found: Sequence[PoseEstimate], images: Sequence[Path], out: Path, overwrite: bool) -> None:
    """Write one estimate to the file `out`, several into the folder `out`, each under its picture's name.

    Raises:
        BadInput: A file exists and `overwrite` is not given.
    """
    if len(found) == 1:
        found[0].save(out, overwrite)
        return
    out.mkdir(parents=True, exist_ok=True)
    for k, (estimate, image) in enumerate(zip(found, images, strict=True)):
        estimate.save(out / f"{k:04d}_{image.stem}.json", overwrite)


def open_locator(
    field: GaussianField, config: InversionConfig, options: LocateOptions, path: Path, progress: Progress = silent
) -> Locator | ObjectFinder:
    """The field, or the thing of it that is asked for, made ready.

    Raises:
        BadInput: Nothing is called that, or the field lacks what the hypotheses are to come from.
    """
    if options.object is not None:
        return ObjectFinder(_only(field, options.object, path).to("cpu"))
    proposers: list[Proposer] = []
    features_of = None
    if options.coarse == "spine":
        if not field.views:
            raise BadInput("--coarse spine trains on the field's own views, and a bare PLY has none")
        proposers.append(PoseNetwork(field, config.max_side, seed=config.seed))
    elif options.coarse == "semantics" or (options.coarse == "auto" and field.features):
        index = _semantics(field, config, options.coarse == "semantics")
        if index is not None:
            proposers.append(index)
            features_of = index.seen_features if index.is_linear else None
    use_matches = options.coarse in ("auto", "matches")
    return Locator(
        field,
        config,
        proposers=proposers,
        features_of=features_of,
        use_matches=use_matches,
        progress=progress,
    )


def _semantics(field: GaussianField, config: InversionConfig, needed: bool) -> SemanticIndex | None:
    """By the first layer whose teacher can look at a new picture; where it is not needed, None if there is none."""
    refusals = []
    for layer in field.features.values():
        try:
            teacher = load_image_teacher(layer.teacher)
            if layer.teacher.startswith("truth"):
                raise BadInput("the teacher truth knows labels of its own capture only, not of a new picture")
            return SemanticIndex(field, layer, teacher, config)
        except (BadInput, MissingPart) as error:
            refusals.append(str(error))
    if needed:
        field.layer()  # raises where there are none
        raise BadInput(f"no features of this field can be compared with a picture: {'; '.join(refusals)}")
    return None


def _only(field: GaussianField, phrase: str, path: Path) -> GaussianField:
    _, layer, text = open_language(path, None)
    found = Querier(field.to("cpu"), layer, text, QueryConfig())(phrase)
    if not found.found:
        raise BadInput(f"{phrase!r} was not found in {path}: {found.reason}")
    return field.select(found.gaussians.to(field.means.device))


def read_frame(
    image: Path, depth: Path | None, intrinsics: Path | None, field: GaussianField, depth_unit: float
) -> Frame:
    """A frame without a pose.

    Raises:
        BadInput: A file is not there or not what it should be, or sizes differ.
    """
    rgb = read_rgb(image)
    size = rgb.shape[1], rgb.shape[0]
    if intrinsics is not None:
        camera = read_intrinsics(intrinsics)
    elif field.views:
        camera = field.views[0].camera
    else:
        raise BadInput("this field has no views of its own (a bare PLY): give the camera with --intrinsics")
    if (camera.width, camera.height) != size:
        same_shape = abs(camera.width * size[1] - camera.height * size[0]) <= max(size)
        if intrinsics is not None or not same_shape:
            raise BadInput(
                f"{image} is {size[0]}x{size[1]}, the camera {camera.width}x{camera.height}: give its --intrinsics"
            )
        camera = camera.resized(*size)
    measured = None if depth is None else read_depth(depth, depth_unit)
    if measured is not None and measured.shape != rgb.shape[:2]:
        raise BadInput(
            f"{depth} is {measured.shape[1]}x{measured.shape[0]}, its picture {size[0]}x{size[1]}: "
            "depth is needed as the colour camera sees it"
        )
    return Frame(rgb, measured, camera, None, image.name)


def read_intrinsics(path: Path) -> Camera:
    """A camera from a JSON file with `K` (3x3), `width`, `height`; pixel centres at integers.

    Raises:
        BadInput: Not there, not JSON, or a value of another form.
    """
    try:
        values = json.loads(Path(path).read_text())
        K = np.array(values["K"], dtype=np.float64).reshape(3, 3)
        return Camera(K, int(values["width"]), int(values["height"]))
    except (OSError, UnicodeDecodeError, KeyError, TypeError, ValueError) as error:
        raise BadInput(f"{path}: JSON with K (3x3), width, height is needed: {type(error).__name__}: {error}") from None


@torch.no_grad()
def locate_pictures(field: GaussianField, frame: Frame, found: PoseEstimate) -> list[tuple[str, np.ndarray]]:
    """The query, the field drawn where it was taken, and their difference with the exposure taken out."""
    if found.T_world_camera is None:
        return [(f"{frame.name}: {found.reason}", frame.rgb)]
    camera = Camera(found.K, frame.camera.width, frame.camera.height)
    frame = limit_size(replace(frame, camera=camera), 640)
    drawn = render(field, frame.camera, found.T_world_camera).rgb.clamp(0, 1).cpu().numpy()
    exposed = np.clip(found.evidence["gain"] * drawn + found.evidence["offset"], 0, 1)
    verdict = "converged" if found.converged else f"not converged: {found.reason}"
    return [
        (f"{frame.name}: query", frame.rgb),
        (f"rendered there; {verdict}, confidence {found.confidence:.2f}", rgb_picture(drawn)),
        ("difference, white is 0.25 or more", error_picture(exposed, frame.rgb / np.float32(255))),
    ]


def locate_section(field: GaussianField, frames: Sequence[Frame], progress: Progress = silent) -> Section:
    """Frames found again without their poses, for the demo's report."""
    names = {frame.name for frame in frames}
    # a field lists every frame of its capture: to draw it from the very poses that are looked for would be cheating
    field = replace(field, views=tuple(v for v in field.views if v.name not in names))
    locator = Locator(field, InversionConfig(), progress=progress)
    table = [["frame", "sees", "off by", "turned by", "confidence", "seconds"]]
    rows = []
    for frame in frames:
        for what, depth in (("colour and depth", frame.depth), ("colour", None)):
            found = locator.locate(replace(frame, T_world_camera=None, depth=depth))
            off = ["", ""]
            if found.T_world_camera is not None:
                metres, angle = pose_error(found.T_world_camera, frame.T_world_camera)
                off = [f"{1000 * metres:.1f} mm", f"{np.degrees(angle):.2f}°"]
            verdict = f"{found.confidence:.2f}" if found.converged else f"refused ({found.reason})"
            table.append([frame.name, what, *off, verdict, f"{found.seconds:.1f}"])
        rows.append(locate_pictures(field, frame, found))
    text = "Pictures that the field was not made from, located without a guess and compared with their true poses."
    return Section("Where was this taken?", text, table, rows)
