"""What is known of part poses before the picture is asked: parts that touched stay together, nothing jumps.

Each term is a quadratic in the twists of all parts, as `photometric.Quadratic` is, so that they add.
"""

from dataclasses import dataclass

import numpy as np
from scipy.spatial.transform import Rotation

from robodistill.inversion.twist import skew
from robodistill.tracking.articulation import carried
from robodistill.tracking.model import PartModel


@dataclass(frozen=True)
class Contact:
    """Two parts that touch at rest."""

    a: int
    b: int
    points: np.ndarray
    """(n, 3) where, in the field's coordinates at rest."""


def find_contacts(model: PartModel, reach: float) -> list[Contact]:
    """All pairs of parts with points within `reach` of each other at rest."""
    return [Contact(a, b, points) for a, b, points in model.contacts(reach)]


def contact_terms(
    model: PartModel, Ts: np.ndarray, contacts: list[Contact], spread: float
) -> tuple[np.ndarray, np.ndarray]:
    """H (6 P, 6 P) and g (6 P,): what touched should touch, `spread` metres apart at most.

    As rigid as possible, robustly (Geman & McClure, as RSRD has Barron's loss): next to a hinge's axis points stay
    together and hold the parts; far from it, or along a drawer, they come apart by more than `spread` and let go.
    A contact counts as one observation, not as its many points.
    """
    H, g = np.zeros((6 * model.parts,) * 2), np.zeros(6 * model.parts)
    for contact in contacts:
        x_a, x_b = (contact.points @ Ts[p, :3, :3].T + Ts[p, :3, 3] for p in (contact.a, contact.b))
        gap = x_b - x_a
        weight = (1 + (gap**2).sum(1) / spread**2) ** -2 / (spread**2 * len(gap)) * _OBSERVATIONS
        J = np.zeros((len(gap), 3, 12))
        for k, (p, x, sign) in enumerate(((contact.a, x_a, -1), (contact.b, x_b, 1))):
            middle = Ts[p, :3, :3] @ model.centers[p] + Ts[p, :3, 3]
            J[:, :, 6 * k : 6 * k + 3] = sign * np.eye(3)
            J[:, :, 6 * k + 3 : 6 * k + 6] = -sign * skew(x - middle)
        _add(H, g, contact, J.reshape(-1, 12), np.repeat(weight, 3), gap.ravel())
    return H, g


def _add(
    H: np.ndarray, g: np.ndarray, contact: Contact, J: np.ndarray, weights: np.ndarray, errors: np.ndarray
) -> None:
    """What n weighted errors, and their derivatives J (n, 12) by the twists of a contact's two parts, add."""
    rows = np.concatenate([np.arange(6 * p, 6 * p + 6) for p in (contact.a, contact.b)])
    weighted = J.T * weights
    H[np.ix_(rows, rows)] += weighted @ J
    g[rows] += weighted @ errors


_OBSERVATIONS = 20.0  # that a contact counts as


def together(model: PartModel, Ts: np.ndarray, Ts_wanted: np.ndarray, contacts: list[Contact], metres: float) -> tuple:
    """H and g of parts that touch staying to each other as in other poses, with this standard deviation of the middle.

    What is hidden goes with its neighbour, whichever way that moves.
    """
    H, g = np.zeros((6 * model.parts,) * 2), np.zeros(6 * model.parts)
    if not contacts:
        return H, g
    a, b = np.array([(contact.a, contact.b) for contact in contacts]).T
    targets = Ts[a] @ np.linalg.inv(Ts_wanted[a]) @ Ts_wanted[b]
    middles = np.einsum("pij,pj->pi", Ts[:, :3, :3], model.centers) + Ts[:, :3, 3]
    shifts = middles[b] - np.einsum("cij,cj->ci", targets[:, :3, :3], model.centers[b]) - targets[:, :3, 3]
    turns = Rotation.from_matrix(Ts[b, :3, :3] @ targets[:, :3, :3].transpose(0, 2, 1)).as_rotvec()
    for contact, offset, error in zip(contacts, middles[b] - middles[a], np.hstack([shifts, turns]), strict=True):
        J = np.hstack([-carried(np.eye(6), offset), np.eye(6)])
        radians = metres / min(model.radii[contact.a], model.radii[contact.b])
        _add(H, g, contact, J, np.repeat([metres**-2, radians**-2], 3), error)
    return H, g


def pull(model: PartModel, Ts: np.ndarray, Ts_wanted: np.ndarray, metres: float, radians: float) -> tuple:
    """H and g of a pull towards other poses, with these standard deviations of each part's middle and turn."""
    middles = [np.einsum("pij,pj->pi", T[:, :3, :3], model.centers) + T[:, :3, 3] for T in (Ts, Ts_wanted)]
    turn = Rotation.from_matrix(Ts[:, :3, :3] @ Ts_wanted[:, :3, :3].transpose(0, 2, 1)).as_rotvec()
    diagonal = np.tile(np.repeat([metres**-2, radians**-2], 3), model.parts)
    return np.diag(diagonal), diagonal * np.concatenate([middles[0] - middles[1], turn], 1).ravel()
