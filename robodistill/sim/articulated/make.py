"""`sim articulated`: a scan of an articulated object, a film of its demonstration, and the truth of both.

`scan/` is a capture with masks as `sim tabletop` writes it, the object resting on its table; `parts/` are rigid parts.
`demo.mp4` shows the parts and the whole moved by a person; `demo_camera.json` has its intrinsics under the keys of
`transforms.json`. `truth.safetensors` holds what was where: `Ts_camera_part` (T, P, 4, 4) float64 maps *scan-world*
coordinates of part p at rest to the film's camera, so that what a scan has reconstructed is carried as it stands.
What is asked can be done: the scan is of a thing about half way open, so that it shows the insides that the film shows,
and hands hold where they leave, on average, most of what they hold in sight; one that turns a lid regrips.
`demo_masks/` (16-bit PNG, 1 + part, 65535 = hands) is for judging only. The same arguments give the same files.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np

from robodistill.capture.folder import CaptureWriter
from robodistill.capture.frame import Frame
from robodistill.capture.video import load_av, write_video
from robodistill.capture.write import write_png, write_whole
from robodistill.errors import BadInput
from robodistill.geometry.camera import Camera
from robodistill.progress import Progress, silent
from robodistill.sim.articulated import ARTICULATED
from robodistill.sim.articulated.demo import Hold, count, draw_shot, film, outline_path
from robodistill.sim.articulated.motion import Handling, draw_handling
from robodistill.sim.articulated.spec import Articulated
from robodistill.sim.articulated.stage import HAND, Stage, build_stage, make_paint
from robodistill.sim.noise import noisy_color, noisy_depth
from robodistill.sim.objects import CATEGORIES
from robodistill.sim.output import check_arguments, whole_folder
from robodistill.sim.paint import Paint
from robodistill.sim.render import Painter
from robodistill.sim.truth import Placed, describe, number
from robodistill.sim.views import hemisphere_views

SCHEMA = 1
FPS = 30
_SCAN_FOV = np.radians(50)
_STREAM = 2  # apart from `tabletop`'s


@dataclass(frozen=True)
class ArticulatedResult:
    """What was written."""

    scan: Path
    video: Path
    parts: tuple[str, ...]


def make_articulated(
    name: str,
    seed: int,
    out: Path,
    hand: bool = False,
    views: int = 40,
    frames: int = 90,
    width: int = 320,
    height: int = 240,
    noise: Literal["none", "sensor"] = "sensor",
    progress: Progress = silent,
) -> ArticulatedResult:
    """Make an object, scan it, and film a demonstration of it.

    Args:
        name: Key of `ARTICULATED`.
        out: A folder that does not exist yet, or is empty.
        hand: Show the hands that move it.
        views: Frames of the scan.
        frames: Of the film.
        width: Pixels, of both; even.
        height: Pixels, of both; even.
        noise: "sensor" adds what a depth camera adds to the scan, and its colour noise to the film.

    Raises:
        BadInput: An argument is not valid, or `out` holds something.
        MissingPart: MuJoCo or PyAV is not installed, or nothing here can draw.
    """
    out = Path(out)
    check_arguments(seed, views, width, height, noise, out)
    if name not in ARTICULATED:
        raise BadInput(f"no object {name!r}; there are {', '.join(sorted(ARTICULATED))}")
    if frames < 30:
        raise BadInput(f"frames is {frames}; at least 30 are needed for a demonstration")
    if width % 2 or height % 2:
        raise BadInput(f"image size is {width}x{height}; a film needs even sides")
    load_av()
    rest, paint, (surroundings, placing, acting, sensing) = draw_object(name, seed)
    T_world_scanned, T_world_start = (_on_table(rest, placing) for _ in range(2))
    handling = draw_handling(rest, T_world_start, frames, acting)
    camera = Camera.from_fov(acting.uniform(0.62, 0.95), width, height)
    ways = [(p, grip) for p in _held_parts(handling) for grip in rest.grips[rest.parts[p]]] if hand else []
    bare = build_stage(rest, paint, [grip for _, grip in ways], surroundings, acting, room=False)
    with Painter(bare.model, camera) as painter:
        T_world_camera, holds = draw_shot(rest, handling, ways, bare, camera, painter, acting)
        whole = outline_path(bare, painter, T_world_camera, handling.Ts_world_part)
    holds = tuple(replace(hold, hand=k) for k, hold in enumerate(holds))
    stage = build_stage(rest, paint, [hold.grip for hold in holds], surroundings, acting)
    facts = {"kind": "articulated", "object": name, "seed": seed, "noise": noise, "hand": hand}
    with whole_folder(out) as partial:
        size = (width, height)
        _write_scan(
            partial / "scan", stage, rest, paint, T_world_scanned, views, size, noise, sensing, placing, facts, progress
        )
        pictures, seen = [], []
        with Painter(stage.model, camera) as painter:
            for rgb, labels in film(stage, painter, T_world_camera, handling, holds):
                pictures.append(noisy_color(rgb, sensing) if noise == "sensor" else rgb)
                write_png(partial / "demo_masks" / f"{len(seen):04d}.png", labels)
                seen.append(count(labels, stage.parts))
                progress("film", len(seen), frames)
        write_video(partial / "demo.mp4", pictures, FPS)
        _write_json(partial / "demo_camera.json", _intrinsics(camera) | {"fps": FPS})
        held = _held(holds, len(rest.parts), frames)
        visible = np.minimum(np.stack(seen) / np.maximum(whole, 1), 1)
        _write_truth(partial, rest, handling, T_world_scanned, T_world_camera, held, visible, facts)
    return ArticulatedResult(out / "scan", out / "demo.mp4", rest.parts)


def draw_object(name: str, seed: int) -> tuple[Articulated, Paint, list[np.random.Generator]]:
    """An object as it stands at rest, its coats, and generators for all else: surroundings, places, acting, sensing."""
    streams = np.random.SeedSequence((seed, _STREAM, *name.encode())).spawn(5)
    making, *others = (np.random.default_rng(stream) for stream in streams)
    rest = _at_rest(ARTICULATED[name](making), making)
    return rest, make_paint(rest, making), others


def _at_rest(made: Articulated, rng: np.random.Generator) -> Articulated:
    """The object with its joints about half way open: a scan cannot show what is inside a closed thing."""
    low, high = np.array([joint.limits for joint in made.joints]).T
    return made.posed(low + rng.uniform(0.3, 0.65, len(low)) * (high - low)).centred()


def _held_parts(handling: Handling) -> list[int]:
    """The parts that hands come for, and the body, which a second hand may steady."""
    return sorted({0, *map(int, np.flatnonzero(handling.near.max(0) > 0))})


def _on_table(rest: Articulated, rng: np.random.Generator) -> np.ndarray:
    """(4, 4) T_world_object: turned about the vertical, near the middle of the table, on its top."""
    turn = rng.uniform(0, 2 * np.pi)
    T = np.eye(4)
    T[:2, :2] = [[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]]
    T[:3, 3] = [*rng.uniform(-0.04, 0.04, 2), -rest.spec.bounds[0, 2]]
    return T


def _write_scan(
    folder: Path,
    stage: Stage,
    rest: Articulated,
    paint: Paint,
    T_world_object: np.ndarray,
    views: int,
    size: tuple[int, int],
    noise: str,
    sensing: np.random.Generator,
    placing: np.random.Generator,
    facts: dict,
    progress: Progress,
) -> None:
    camera = Camera.from_fov(_SCAN_FOV, *size)
    reach = np.linalg.norm(rest.spec.size)
    Ts = hemisphere_views(views, placing, (0.10 + 1.2 * reach, 0.16 + 1.6 * reach), (12, 76), 0.2 * reach)
    Ts[:, :3, 3] += T_world_object[:3, 3] - [0, 0, 0.1 * reach]  # they look a little above the table, not at its middle
    to_object = (stage.to_part > 0).astype(np.uint16)
    names, pixels = [], []
    stage.pose(np.tile(T_world_object, (stage.parts, 1, 1)), ())
    with CaptureWriter(folder) as writer, Painter(stage.model, camera) as painter:
        for k, T_world_camera in enumerate(Ts):
            painter.look(stage.data, T_world_camera)
            rgb, (depth, geoms) = painter.color(), painter.depth_and_geoms()
            if noise == "sensor":
                rgb, depth = noisy_color(rgb, sensing), noisy_depth(depth, camera, sensing)
            names.append(writer.add(Frame(rgb, depth, camera, T_world_camera, f"{k:04d}")))
            write_png(folder / "masks" / f"{names[-1]}.png", to_object[geoms])
            write_png(folder / "parts" / f"{names[-1]}.png", stage.to_part[geoms])
            pixels.append([int((to_object[geoms] == 1).sum())])
            progress("scan", k + 1, views)
    placed = Placed(1, rest.spec, paint, number([rest.spec])[0], T_world_object)
    _write_json(folder / "truth.json", describe([placed], names, np.array(pixels), tuple(CATEGORIES), **facts))


def _held(holds: Sequence[Hold], parts: int, frames: int) -> np.ndarray:
    """(T, P) uint8: a hand has hold of the part."""
    held = np.zeros((frames, parts), np.uint8)
    for hold in holds:
        held[:, hold.part] |= hold.near >= 1
    return held


def _write_truth(
    folder: Path,
    rest: Articulated,
    handling: Handling,
    T_world_scanned: np.ndarray,
    T_world_camera: np.ndarray,
    held: np.ndarray,
    visible: np.ndarray,
    facts: dict,
) -> None:
    from safetensors.numpy import save

    scanned = np.linalg.inv(T_world_scanned)
    Ts = np.linalg.inv(T_world_camera) @ handling.Ts_world_part @ scanned
    values = handling.values - [joint.value for joint in rest.joints]
    arrays = {"Ts_camera_part": Ts, "values": values, "held": held, "visible": visible.astype(np.float32)}
    write_whole(
        folder / "truth.safetensors", save({name: np.ascontiguousarray(array) for name, array in arrays.items()})
    )
    joints = []
    for k, joint in enumerate(rest.joints):
        span = float(values[:, k].min()), float(values[:, k].max())
        R = T_world_scanned[:3, :3]
        joints.append(
            {
                "name": joint.name,
                "type": joint.kind,
                "parent": rest.parent(joint),
                "child": rest.child(joint),
                "axis": (R @ joint.axis).tolist(),
                "origin": (R @ joint.origin + T_world_scanned[:3, 3]).tolist(),
                "pitch": joint.pitch,
                "range": span,
                "moved": span[1] > span[0],
            }
        )
    truth = {
        "schema": SCHEMA,
        "units": {"length": "metre", "angle": "radian"},
        **facts,
        "parts": list(rest.parts),
        "joints": joints,
        "size": rest.spec.size.tolist(),
        "T_world_object": T_world_scanned.tolist(),
        "hand_label": HAND,
        "frames": len(values),
    }
    _write_json(folder / "truth.json", truth)


def _intrinsics(camera: Camera) -> dict:
    K = camera.K_corner
    size = {"w": camera.width, "h": camera.height}
    return {"camera_model": "PINHOLE", "fl_x": K[0, 0], "fl_y": K[1, 1], "cx": K[0, 2], "cy": K[1, 2], **size}


def _write_json(path: Path, values: dict) -> None:
    write_whole(path, json.dumps(values, indent=1).encode())
