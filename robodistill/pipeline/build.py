"""Capture to field: read, seed, fit, measure, save; interrupted builds resume."""

import hashlib
import json
import logging
import shutil
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import torch

from robodistill.capture.frame import Capture, Frame
from robodistill.capture.open import open_capture
from robodistill.capture.resize import limit_size
from robodistill.capture.write import write_whole
from robodistill.config import BuildConfig, FeaturesConfig
from robodistill.errors import BadInput, EmptyCapture
from robodistill.field.fit import Fit
from robodistill.field.gaussians import GaussianField
from robodistill.field.losses import psnr
from robodistill.field.render import render
from robodistill.field.seed import seed_field, views_of
from robodistill.pipeline.features import add_features, checked_features
from robodistill.progress import Progress, silent

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Quality:
    """A field against frames it was, or was not, fitted to."""

    psnr: float
    """Mean over the frames, dB."""
    depth_median: float | None
    """Median absolute depth error where depth was measured and the field is solid, metres."""
    frames: int


@dataclass(frozen=True)
class BuildResult:
    """What a build gave."""

    path: Path
    gaussians: int
    psnr: float
    """Over the frames kept for it, or over the training frames where none were kept, dB."""
    depth_median: float | None
    held_out: int
    seconds: float
    bytes: int


def build_field(
    capture: Path | Capture,
    out: Path,
    config: BuildConfig | None = None,
    *,
    geometry: Path | None = None,
    overwrite: bool = False,
    progress: Progress = silent,
) -> BuildResult:
    """Make the field folder `out` from a capture.

    The state is saved every few seconds beside `out` (in `.NAME.building`) and when the build is interrupted; the same
    call continues from it.

    Args:
        geometry: A field of the same capture, whose Gaussians and features are kept; only features are added.

    Raises:
        BadInput: `out` exists and `overwrite` is not set.
        CaptureError: The capture cannot be read or holds no usable frame.
        MissingPart: The teacher's weights are not there.
    """
    start = time.perf_counter()
    config = config or BuildConfig()
    out = Path(out)
    if out.exists() and not overwrite:
        raise BadInput(f"{out} exists; give another name or --overwrite")
    if not out.parent.is_dir():
        raise BadInput(f"{out.parent} is not a folder; the field is written into an existing one")
    folder = capture if isinstance(capture, Path) else None
    capture = capture if isinstance(capture, Capture) else open_capture(capture)
    config = replace(config, features=checked_features(config.features, folder))
    frames = read_frames(capture, config.max_side, progress)
    indices = [i for i in range(len(frames)) if not is_held_out(i, config.hold_out)]
    kept = [frames[i] for i in indices]
    held_out = [f for i, f in enumerate(frames) if is_held_out(i, config.hold_out)]
    checkpoint = Checkpoint(out, capture, frames, config)
    if geometry is None:
        field = _fitted(kept, frames, config, checkpoint, progress)
    else:
        field = GaussianField.load(geometry)
    views = views_of(kept)
    field = add_features(field, kept, views, folder, config.features, checkpoint.folder / "maps", progress)
    quality = measure(field, held_out or kept)
    field.to("cpu").save(out, overwrite)
    checkpoint.remove()
    size = sum(f.stat().st_size for f in out.rglob("*") if f.is_file())
    seconds = time.perf_counter() - start
    return BuildResult(out, len(field), quality.psnr, quality.depth_median, len(held_out), seconds, size)


def _fitted(
    kept: list[Frame], frames: list[Frame], config: BuildConfig, checkpoint: "Checkpoint", progress: Progress
) -> GaussianField:
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    state = checkpoint.load()
    # a resumed fit takes its Gaussians from the state, so any seeds do
    field = replace(seed_field(kept, config.seed), views=views_of(frames)).to(device)
    fit = Fit(field, kept, config.fit)
    if state is not None:
        fit.restore(state)
        log.warning("%s: continuing at step %d of %d", checkpoint.out, fit.step_number, config.fit.steps)
    run_fit(fit, checkpoint, config.checkpoint_every, progress)
    return fit.field()


def read_frames(capture: Capture, max_side: int, progress: Progress = silent) -> list[Frame]:
    """All usable frames with poses, reduced to `max_side` pixels; what is dropped is counted in a warning.

    Raises:
        EmptyCapture: There is none.
    """
    frames, lost = [], 0
    for frame in capture.frames():
        if frame.T_world_camera is None:
            lost += 1
        else:
            frames.append(limit_size(frame, max_side))
        progress("read", len(frames) + lost, len(capture))
    progress("read", len(capture), len(capture))
    if not frames:
        raise EmptyCapture(f"{capture.name}: none of {lost} frames has a pose; a field is made from posed frames")
    if lost:
        log.warning("%s: dropped %d of %d frames that have no pose", capture.name, lost, lost + len(frames))
    return frames


def is_held_out(index: int, every: int) -> bool:
    """Whether the frame with this index is kept for measuring: the middle one of every `every`."""
    return every > 1 and index % every == every // 2


def run_fit(fit: Fit, checkpoint: "Checkpoint", every: float, progress: Progress) -> None:
    """Advance to the end; Ctrl-C ends it between two steps, with the state saved."""
    saved, mse = time.monotonic(), 0.0
    with _deferred_interrupt() as interrupted:
        while not fit.is_done:
            step_mse = fit.step()
            mse = step_mse if mse == 0 else 0.95 * mse + 0.05 * step_mse
            note = f"PSNR {-10 * np.log10(max(mse, 1e-12)):.1f} dB, {len(fit.error):,} Gaussians"
            progress("fit", fit.step_number, fit.config.steps, note)
            if interrupted.is_set() or fit.is_done or time.monotonic() - saved > every:
                checkpoint.save(fit.state())
                saved = time.monotonic()
            if interrupted.is_set():
                raise KeyboardInterrupt(f"stopped at step {fit.step_number} of {fit.config.steps}; the state is kept")


@contextmanager
def _deferred_interrupt() -> Iterator[threading.Event]:
    """Turn Ctrl-C into an event, where signals can be caught at all (the main thread)."""
    event = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield event
        return
    before = signal.signal(signal.SIGINT, lambda *_: event.set())
    try:
        yield event
    finally:
        signal.signal(signal.SIGINT, before)


@torch.no_grad()
def measure(field: GaussianField, frames: list[Frame]) -> Quality:
    """Render the frames' views and compare."""
    ratios, errors = [], []
    for frame in frames:
        view = render(field, frame.camera, frame.T_world_camera)
        truth = torch.from_numpy(frame.rgb).to(view.rgb) / 255
        ratios.append(psnr(view.rgb.clamp(0, 1), truth))
        if frame.depth is not None:
            depth = torch.from_numpy(frame.depth).to(view.depth)
            both = (depth > 0) & (view.depth > 0)
            errors.append((view.depth - depth)[both].abs().cpu())
    median = float(torch.cat(errors).median()) if errors and sum(map(len, errors)) else None
    return Quality(float(np.mean(ratios)), median, len(frames))


class Checkpoint:
    """The saved state of a build, valid for the same frames and config only."""

    def __init__(self, out: Path, capture: Capture, frames: list[Frame], config: BuildConfig) -> None:
        self.out, self.folder = out, out.with_name(f".{out.name}.building")
        # features are made after the fit, so their options leave its state valid
        facts = {
            "config": asdict(replace(config, features=FeaturesConfig())),
            "frames": [f.name for f in frames],
            "shapes": [f.rgb.shape for f in frames],
        }
        digest = hashlib.sha256(json.dumps(facts, sort_keys=True).encode())
        for frame in frames:
            for array in (frame.rgb, frame.depth, frame.T_world_camera):
                digest.update(b"none" if array is None else array.tobytes())
        self.key = digest.hexdigest()

    def load(self) -> dict[str, torch.Tensor] | None:
        """The state, or None where there is none that fits."""
        from safetensors import SafetensorError, safe_open

        path = self.folder / "state.safetensors"
        if not path.exists():
            return None
        try:
            with safe_open(path, "pt") as file:
                if (file.metadata() or {}).get("key") != self.key:
                    log.warning("%s is of another capture or config: starting over", self.folder)
                    return None
                return {name: file.get_tensor(name) for name in file.keys()}
        except (SafetensorError, OSError) as error:
            log.warning("%s cannot be read (%s): starting over", path, error)
            return None

    def save(self, state: dict[str, torch.Tensor]) -> None:
        """Replace the saved state; a kill in between leaves the old one."""
        from safetensors.torch import save

        tensors = {name: t.detach().cpu().contiguous() for name, t in state.items()}
        write_whole(self.folder / "state.safetensors", save(tensors, {"key": self.key}))

    def remove(self) -> None:
        """Forget the state."""
        shutil.rmtree(self.folder, ignore_errors=True)
