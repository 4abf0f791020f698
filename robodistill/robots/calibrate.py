"""Hand-eye calibration: where a camera is on a robot, or before it, from what it saw of one target; and a check of it.

A camera on a hand sees a target that stands still, or a camera that stands still sees a target in a hand: in both cases
one link moves against the world by known joint values, and A X = X B. Rotation first, then translation (Park & Martin,
"Robot sensor calibration", IEEE T-RA 1994), over all pairs of samples, and from there a least-squares fit of both
unknown poses to all samples (compare Dornaika & Horaud, IEEE T-RA 1998), which differs in that rotations are weighed by
the distance at which they matter. OpenCV 5 has no such function any more.
"""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import least_squares
from scipy.spatial.transform import Rotation

from robodistill.errors import BadInput, HonestNo
from robodistill.robots.hand_eye import WORLD, HandEye, Samples
from robodistill.robots.robot import Robot

LEAST = 4
"""Samples: three that determine it, and one to leave out."""
_TURN = np.radians(5)  # rms of turns, between samples, about the axis they turn second most about


@dataclass(frozen=True, eq=False)
class Calibration:
    """A hand-eye calibration and how well it explains the samples."""

    hand_eye: HandEye
    T_frame_target: np.ndarray
    """(4, 4) of the target in the frame that it is fixed to."""
    residuals: np.ndarray
    """(N, 2) between predicted and seen target: metres, rad."""
    left_out: np.ndarray | None
    """(N, 2) the same, each sample predicted by a calibration from the others; None where it was not calibrated."""

    def as_values(self) -> dict:
        """Plain numbers; millimetres, degrees."""
        values = {
            "frame": self.hand_eye.frame,
            "T_frame_camera": self.hand_eye.T_frame_camera.tolist(),
            "T_frame_target": self.T_frame_target.tolist(),
            "residual": _rms(self.residuals),
            "samples": [_rms(row[None]) for row in self.residuals],
        }
        if self.left_out is not None:
            values["leave_one_out"] = _rms(self.left_out)
            values["samples"] = [it | {"left_out": _rms(row[None])} for it, row in zip(
                values["samples"], self.left_out, strict=True)]  # fmt: skip
        return values


def calibrate(robot: Robot, samples: Samples) -> Calibration:
    """Where the camera is, from the samples.

    Raises:
        HonestNo: There are too few samples, or the link turns about one axis only, which leaves the place along that
            axis open.
        BadInput: The robot has no such link.
    """
    hands, Ts = samples.Ts_world_hand(robot), samples.Ts_camera_target
    if len(hands) < LEAST:
        raise HonestNo(
            f"{len(hands)} samples do not determine it; at least {LEAST} are needed", {"samples": len(hands)}
        )
    turn = second_turn(hands)
    if turn < _TURN:
        raise HonestNo(
            f"the samples do not determine it: the link turns about one axis, and about others by "
            f"{np.degrees(turn):.1f} degrees only; {np.degrees(_TURN):.0f} are needed",
            {"samples": len(hands), "turn_deg": float(np.degrees(turn))},
        )
    moving = np.linalg.inv(hands) if samples.camera_frame == WORLD else hands
    X, Z = _solve(moving, Ts)
    left_out = np.zeros((len(Ts), 2))
    for k in range(len(Ts)):
        others = np.arange(len(Ts)) != k
        left_out[k] = _residuals(moving[k : k + 1], Ts[k : k + 1], *_solve(moving[others], Ts[others]))[0]
    return Calibration(HandEye(samples.camera_frame, X), Z, _residuals(moving, Ts, X, Z), left_out)


def check(robot: Robot, samples: Samples, hand_eye: HandEye) -> Calibration:
    """How well a known calibration explains samples; only where the target is, is fitted.

    Raises:
        BadInput: The camera of the samples is on another frame, or there are fewer than two samples.
    """
    if hand_eye.frame != samples.camera_frame:
        raise BadInput(f"the calibration's camera is on {hand_eye.frame!r}, the samples' on {samples.camera_frame!r}")
    hands, Ts = samples.Ts_world_hand(robot), samples.Ts_camera_target
    if len(hands) < 2:
        raise BadInput(f"{len(hands)} samples check nothing; at least two are needed")
    moving = np.linalg.inv(hands) if samples.camera_frame == WORLD else hands
    Z = _mean(moving @ hand_eye.T_frame_camera @ Ts)
    return Calibration(hand_eye, Z, _residuals(moving, Ts, hand_eye.T_frame_camera, Z), None)


def second_turn(Ts: np.ndarray) -> float:
    """Rms, rad, of the turns between poses (N, 4, 4) about the axis that they turn second most about."""
    a, b = np.triu_indices(len(Ts), 1)
    turns = Rotation.from_matrix(np.swapaxes(Ts[a, :3, :3], 1, 2) @ Ts[b, :3, :3]).as_rotvec()
    return float(np.sqrt(max(np.linalg.eigvalsh(turns.T @ turns / max(len(turns), 1))[1], 0.0)))


def _solve(moving: np.ndarray, Ts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """X, Z with moving_i @ X @ Ts_i = Z, (4, 4) each, for (N, 4, 4) poses."""
    a, b = np.triu_indices(len(Ts), 1)
    A, B = np.linalg.inv(moving[b]) @ moving[a], Ts[b] @ np.linalg.inv(Ts[a])
    turns = (Rotation.from_matrix(T[:, :3, :3]).as_rotvec() for T in (A, B))
    X = np.eye(4)
    X[:3, :3] = Rotation.align_vectors(*turns)[0].as_matrix()
    wanted = B[:, :3, 3] @ X[:3, :3].T - A[:, :3, 3]
    X[:3, 3] = np.linalg.lstsq((A[:, :3, :3] - np.eye(3)).reshape(-1, 3), wanted.ravel())[0]
    Z = _mean(moving @ X @ Ts)
    lever = max(float(np.linalg.norm(Ts[:, :3, 3], axis=1).mean()), 1e-3)

    def off(twist: np.ndarray) -> np.ndarray:
        error = np.linalg.inv(Ts) @ np.linalg.inv(_moved(X, twist[:6])) @ np.linalg.inv(moving) @ _moved(Z, twist[6:])
        turn = Rotation.from_matrix(error[:, :3, :3]).as_rotvec()
        return np.concatenate([error[:, :3, 3], lever * turn], 1).ravel()

    twist = least_squares(off, np.zeros(12)).x
    return _moved(X, twist[:6]), _moved(Z, twist[6:])


def _moved(T: np.ndarray, twist: np.ndarray) -> np.ndarray:
    step = np.eye(4)
    step[:3, :3], step[:3, 3] = Rotation.from_rotvec(twist[3:]).as_matrix(), twist[:3]
    return T @ step


def _mean(Ts: np.ndarray) -> np.ndarray:
    T = np.eye(4)
    T[:3, :3], T[:3, 3] = Rotation.from_matrix(Ts[:, :3, :3]).mean().as_matrix(), Ts[:, :3, 3].mean(0)
    return T


def _residuals(moving: np.ndarray, Ts: np.ndarray, X: np.ndarray, Z: np.ndarray) -> np.ndarray:
    error = np.linalg.inv(Ts) @ np.linalg.inv(X) @ np.linalg.inv(moving) @ Z
    turn = np.linalg.norm(Rotation.from_matrix(error[:, :3, :3]).as_rotvec(), axis=1)
    return np.stack([np.linalg.norm(error[:, :3, 3], axis=1), turn], 1)


def _rms(residuals: np.ndarray) -> dict[str, float]:
    length, turn = np.sqrt(np.square(residuals).mean(0))
    return {"mm": round(1000 * float(length), 3), "deg": round(float(np.degrees(turn)), 4)}
