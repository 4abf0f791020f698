"""A part motion on a page: the field's parts move as the video showed, with their joints and the video's camera."""

from typing import Any

import numpy as np
import torch

from robodistill.errors import BadInput
from robodistill.tracking.motion import PartMotion
from robodistill.viewer.cameras import wxyz_xyz
from robodistill.viewer.page import Page
from robodistill.viewer.scenery import add_camera, add_joint
from robodistill.viewer.shown import ShownField


class MotionActor:
    """Shows a `PartMotion` in its field's world: the body begins where it was scanned."""

    def __init__(self, name: str, motion: PartMotion, page: Page) -> None:
        """Find the field and draw the joints.

        Raises:
            BadInput: No field on the page has as many Gaussians as the motion labels.
        """
        self.name, self.motion, self._page = name, motion, page
        self._shown = self._find_field()
        root = motion.root
        self._T_world_camera = np.linalg.inv(motion.Ts_camera_part[0, root])
        self._Ts_world_part = self._T_world_camera @ motion.Ts_camera_part
        self.duration = float(motion.times[-1] - motion.times[0])
        scene = page.client.scene
        self._frustum = add_camera(scene, f"/{name} camera", motion.camera, self._T_world_camera, None, 0.04)
        self._joints = [
            add_joint(scene, f"/{name} joint {k}", joint, *self._middle_and_reach(joint.child))
            for k, joint in enumerate(motion.joints)
        ]

    @property
    def handles(self) -> list[Any]:
        """What a box in the list of results hides."""
        return [self._frustum, *self._joints]

    def go(self, seconds: float) -> str:
        """Pose parts and joints; says what is held and how far each joint is."""
        motion = self.motion
        frame = int(np.abs(motion.times - motion.times[0] - seconds).argmin())
        self.place(self._Ts_world_part[frame])
        rows = ["| part | sure | seen | held |", "|---|---|---|---|"]
        for k, part in enumerate(motion.parts):
            sure, seen = motion.confidence[frame, k], motion.visible[frame, k]
            rows.append(f"| {part} | {sure:.2f} | {seen:.2f} | {'yes' if motion.held[frame, k] else ''} |")
        joints = [self._joint_words(joint, frame) for joint in motion.joints]
        return f"Frame {frame + 1} of {len(motion)}\n\n" + "\n".join(rows) + "\n\n" + "\n\n".join(joints)

    def place(self, Ts_world_part: np.ndarray) -> None:
        """Show the parts, and the joints on them, at (P, 4, 4)."""
        if self._shown.split(self.motion.labels):
            self._shown.pose(Ts_world_part)
        for joint, handle in zip(self.motion.joints, self._joints, strict=True):
            handle.wxyz, handle.position = wxyz_xyz(Ts_world_part[joint.parent])

    def picture(self, seconds: float) -> np.ndarray | None:
        """At that time, the page's video that lasts about as long as the motion."""
        if not self._page.videos:
            return None
        at = self.motion.times
        video = min(self._page.videos, key=lambda it: abs(it.duration - float(at[-1])))
        return video.at(seconds + float(at[0]))

    def _joint_words(self, joint: Any, frame: int) -> str:
        names = f"{self.motion.parts[joint.child]} on {self.motion.parts[joint.parent]}: {joint.kind}"
        if joint.kind in ("fixed", "free"):
            return names
        turns = joint.kind != "prismatic"
        now, low, high = (
            f"{np.degrees(x):.0f}" if turns else f"{1000 * x:.0f}" for x in (joint.values[frame], *joint.range)
        )
        return f"{names}, {now} of {low} to {high} {'°' if turns else 'mm'}"

    def _middle_and_reach(self, part: int) -> tuple[np.ndarray, float]:
        points = self._shown.field.means[torch.from_numpy(self.motion.labels == part)].cpu().numpy().astype(float)
        if not len(points):
            return np.zeros(3), 0.05
        middle = np.median(points, 0)
        return middle, float(np.percentile(np.linalg.norm(points - middle, axis=1), 95))

    def _find_field(self) -> ShownField:
        count = len(self.motion.labels)
        fitting = [shown for shown in self._page.fields if len(shown.field) == count]
        if not fitting:
            given = ", ".join(f"{shown.name} has {len(shown.field)}" for shown in self._page.fields) or "there is none"
            raise BadInput(f"the motion is of a field with {count} Gaussians; on this page {given}. Open its field too")
        return fitting[0]
