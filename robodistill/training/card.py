"""Pictures for the model card: `python -m robodistill.training.card --visual A`, of the shipped weights.

`curve.png` has the scores of trainings, `curve_visual.png` those of landmarks; `examples.jpg` one scene to a row: the
view, what each cell is taken for, and three phrases with the peak of their relevancy, right ones ringed in green and
wrong ones in red; `matches.jpg` places of things and where they are found from another side, wrong ones in red.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
import tyro
from safetensors import safe_open

from robodistill.capture.frame import Frame
from robodistill.capture.write import write_whole
from robodistill.geometry.camera import Camera
from robodistill.geometry.covisible import DepthView, seen_in
from robodistill.report.pictures import heat_picture, label_colors
from robodistill.sim.noise import noisy_color, noisy_depth
from robodistill.sim.render import Painter
from robodistill.sim.scene import Scene, make_scene
from robodistill.sim.views import hemisphere_views, look_at
from robodistill.teachers.builtin.teacher import Builtin
from robodistill.teachers.builtin.weights import CONCEPTS, load_weights
from robodistill.training.scores import NEAR, margins

_SIZE = (320, 240)


@dataclass(frozen=True)
class Arguments:
    """Draw the card's pictures."""

    image: Path | None = None
    """Checkpoint of `training.image`."""
    shape: Path | None = None
    """Checkpoint of `training.shape`."""
    visual: Path | None = None
    """Checkpoint of `training.visual`."""
    out: Path = Path("assets/teacher")
    seeds: tuple[int, ...] = (2000, 2001, 2002, 2003)
    """Scenes to show."""


def main(arguments: Arguments) -> None:
    """Draw all, curves of what is given."""
    if arguments.image and arguments.shape:
        curves = {"dense encoder": arguments.image, "shape encoder": arguments.shape}
        write_whole(arguments.out / "curve.png", curve_picture(curves))
    if arguments.visual:
        write_whole(arguments.out / "curve_visual.png", curve_picture({"landmarks": arguments.visual}))
    teacher, visual = Builtin(), Builtin("head=visual")
    scenes = {seed: make_scene(seed) for seed in arguments.seeds}
    rows = [example_row(scene, seed, teacher) for seed, scene in scenes.items()]
    _write_jpeg(arguments.out / "examples.jpg", cv2.resize(np.vstack(rows), None, fx=0.8, fy=0.8, interpolation=3))
    rows = [match_row(scene, seed, visual) for seed, scene in scenes.items()]
    _write_jpeg(arguments.out / "matches.jpg", np.vstack([np.hstack(rows[k : k + 2]) for k in range(0, len(rows), 2)]))


def _write_jpeg(path: Path, rgb: np.ndarray) -> None:
    write_whole(path, cv2.imencode(".jpg", rgb[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 88])[1].tobytes())


def curve_picture(files: Mapping[str, Path]) -> bytes:
    """PNG of scores over minutes of training, by title."""
    import io

    from matplotlib.figure import Figure

    figure = Figure((5 * len(files), 3.6), layout="constrained")
    for axes, (title, path) in zip(figure.subplots(1, len(files), squeeze=False)[0], files.items(), strict=True):
        with safe_open(path, "pt") as file:
            curve = json.loads(file.metadata()["progress"])["curve"]
        names = [n for n in curve[-1] if n.endswith(("_peak", "_right")) or n == "matched"]
        for name in names:
            points = [(point["minutes"], point[name]) for point in curve if name in point]
            axes.plot(*zip(*points, strict=True), label=name.replace("_", " "))
        axes.set(title=title, xlabel="minutes", ylim=(0, 1))
        axes.legend(fontsize=7)
        axes.grid(alpha=0.3)
    data = io.BytesIO()
    figure.savefig(data, dpi=90)
    return data.getvalue()


def example_row(scene: Scene, seed: int, teacher: Builtin) -> np.ndarray:
    """(240, 5 x 320, 3) uint8 pictures of one view."""
    rng = np.random.default_rng(seed)
    camera = Camera.from_fov(np.radians(50), *_SIZE)
    with Painter(scene.model, camera) as painter:
        painter.look(scene.data, hemisphere_views(1, rng)[0])
        rgb, (depth, geoms) = painter.color(), painter.depth_and_geoms()
    frame = Frame(noisy_color(rgb, rng), noisy_depth(depth, camera, rng), camera, None)
    seen, objects = teacher.encode(frame), scene.to_object[geoms]
    directions = load_weights("cpu").directions["thing"]
    kinds = (seen[..., teacher.kind] @ directions.mT).argmax(-1).numpy()
    shown = [frame.rgb, _labelled(frame.rgb, kinds)]
    visible = [it for it in scene.objects if (objects == it.id).sum() >= 60]
    phrases = [(f"{it.paint['main'].word} {it.spec.category}", it.id) for it in visible[:2]]
    phrases += [(it.spec.category, it.id) for it in visible[2:3]]
    shown += [_asked(frame.rgb, seen, objects, teacher, phrase, wanted) for phrase, wanted in phrases]
    return np.hstack(shown)


def match_row(scene: Scene, seed: int, visual: Builtin) -> np.ndarray:
    """(240, 640, 3) uint8: two views 30 degrees apart, and lines from places of things to where they are found."""
    rng = np.random.default_rng(seed)
    camera = Camera.from_fov(np.radians(50), *_SIZE)
    frames, shown, eye = [], [], np.array([0.55, 0.0, 0.6])
    with Painter(scene.model, camera) as painter:
        for angle in np.radians([0, 30]) + rng.uniform(0, 2 * np.pi):
            c, s = np.cos(angle), np.sin(angle)
            T = look_at(np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]]) @ eye, np.array([0, 0, 0.03]))
            painter.look(scene.data, T)
            rgb, (depth, geoms) = painter.color(), painter.depth_and_geoms()
            frames.append(Frame(noisy_color(rgb, rng), noisy_depth(depth, camera, rng), camera, T))
            shown.append(scene.to_object[geoms] > 0)
    first, second = (visual.encode(frame) for frame in frames)
    cells = np.argwhere(cv2.resize(shown[0].astype(np.uint8), first.shape[1::-1], interpolation=0) > 0)
    views = (DepthView(frame.depth, frame.camera.K, frame.T_world_camera) for frame in frames)
    step = _SIZE[0] / first.shape[1]
    places, seen = seen_in(*views, (cells[:, ::-1] + 0.5) * step - 0.5)
    picture = np.hstack([frame.rgb for frame in frames])
    for k in rng.permutation(np.flatnonzero(seen))[:60]:
        best = int((second.flatten(0, 1) @ first[tuple(cells[k])]).argmax())
        found = (np.array([best % first.shape[1], best // first.shape[1]]) + 0.5) * step - 0.5
        color = (40, 220, 60) if np.linalg.norm(found - places[k]) < NEAR else (240, 40, 40)
        ends = ((cells[k, ::-1] + 0.5) * step - 0.5, found + [_SIZE[0], 0])
        cv2.line(picture, *(tuple(np.rint(end).astype(int).tolist()) for end in ends), color, 1, cv2.LINE_AA)
    return picture


def _labelled(rgb: np.ndarray, kinds: np.ndarray) -> np.ndarray:
    """What each cell is taken for, with the names of the things."""
    names = CONCEPTS["thing"]
    large = cv2.resize(kinds.astype(np.uint8), rgb.shape[1::-1], interpolation=cv2.INTER_NEAREST)
    picture = (0.5 * label_colors(large.astype(np.int32) + 1) + 0.5 * rgb).astype(np.uint8)
    for kind in np.unique(large):
        count, _, stats, centers = cv2.connectedComponentsWithStats((large == kind).astype(np.uint8))
        for k in range(1, count):
            if stats[k, cv2.CC_STAT_AREA] >= 80:
                at = (int(centers[k][0]) - 14, int(centers[k][1]) + 3)
                _write(picture, names[kind], at)
    return picture


def _asked(
    rgb: np.ndarray, seen: torch.Tensor, objects: np.ndarray, teacher: Builtin, phrase: str, wanted: int
) -> np.ndarray:
    """Relevancy, and a ring at its peak: green on the right thing, red elsewhere."""
    margin = margins(teacher, seen, phrase).numpy()
    large = cv2.resize(margin, rgb.shape[1::-1], interpolation=cv2.INTER_NEAREST)
    picture = np.ascontiguousarray(heat_picture(rgb, np.clip(large + 0.3, 0, 1)))
    v, u = np.unravel_index(large.argmax(), large.shape)
    color = (40, 220, 60) if objects[v, u] == wanted else (240, 40, 40)
    cv2.circle(picture, (int(u) + 2, int(v) + 2), 9, color, 2, cv2.LINE_AA)
    _write(picture, phrase, (6, 16))
    return picture


def _write(picture: np.ndarray, text: str, at: Sequence[int]) -> None:
    for color, width in (((0, 0, 0), 3), ((255, 255, 255), 1)):
        cv2.putText(picture, text, tuple(at), cv2.FONT_HERSHEY_SIMPLEX, 0.4, color, width, cv2.LINE_AA)


if __name__ == "__main__":
    main(tyro.cli(Arguments))
