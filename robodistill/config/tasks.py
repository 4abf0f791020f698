"""Defaults of what is done with a field: finding a camera, following parts, grasping."""

from dataclasses import dataclass


@dataclass(frozen=True)
class InversionConfig:
    """How the camera of a picture is found in a field."""

    max_side: int = 320
    """Pictures are reduced so that no side is longer, pixels; virtual views have no more either."""
    views: int = 40
    """Of the field's own, evenly taken, that are drawn to be recognised."""
    nearer: float = 0.55
    """Distance of the nearer copy of each, relative to its own."""
    tilt: float = 0.35
    """How much lower another copy stands, around the middle of what it sees, rad."""
    view_keypoints: int = 600
    """Landmarks taken from a virtual view at most."""
    keypoints: int = 1000
    """Of the picture."""
    ratio: float = 0.9
    """Distance of a match over that of the next place, at most."""
    apart: float = 0.03
    """How far off another place is, relative to the field's radius."""
    samples: int = 1000
    """Minimal sets of matches that are tried."""
    pixel_error: float = 4.0
    """Reprojection error of a match that fits, pixels of the reduced picture."""
    hypotheses: int = 6
    """Poses that are looked at."""
    refined: int = 3
    """Of them that are refined, until one is confirmed."""
    rounds: int = 2
    """Of drawing, matching and aligning."""
    descents: int = 0
    """Last steps, along the rasteriser's own pose gradient."""
    certain: float = 0.5
    """Confidence from which an answer counts as converged."""
    seed: int = 0


@dataclass(frozen=True)
class TrackingConfig:
    """Following the parts of an object through a video."""

    spread: float = 0.05
    """Standard deviation of a right pixel's brightness, in [0, 1]: light differs from that of the scan."""
    blur: float = 3.0
    """Of picture and drawing in the first steps of a frame, pixels."""
    wide_steps: int = 4
    """Steps with that blur; half of them of the object as a whole."""
    fine_steps: int = 7
    """Steps without."""
    contact_reach: float = 0.03
    """Parts nearer than this at rest touch, in the object's size."""
    contact_spread: float = 0.003
    """How far apart points that touched are still held together, metres."""
    slip: float = 0.005
    """By which parts that touch may leave their prediction against each other from frame to frame, metres."""
    joint_rounds: int = 2
    """Passes over all frames with the parts on their joints."""
    jump: float = 0.003
    """By how much a part may leave its prediction from frame to frame, metres, one standard deviation."""


@dataclass(frozen=True)
class GraspConfig:
    """How grasps are found, filtered and ranked."""

    friction: float = 0.8
    """Coulomb's coefficient between pads and things: half the opening of the friction cone is its arc tangent."""
    normal_filter: bool = True
    """GaussianGrasper's: both contact angles together must stay below `normal_sum`; off, normals are not looked at."""
    normal_sum: float = 0.9
    """Angles between the line of the contacts and the surface normals there, summed over both, rad."""
    contacts: int = 160
    """Points of the thing from which pairs are drawn."""
    pairs: int = 3
    """Second contacts for each of them at most."""
    approaches: int = 12
    """Directions around the line of the contacts from which the gripper may come."""
    least_down: float = 0.0
    """Cosine between the approach and straight down at least; 0 allows to come from the side."""
    kept: int = 200
    """Candidates, best first, whose clearance is looked at."""
    reached: int = 80
    """Candidates, best first, for which arms are asked."""
    wanted: int = 10
    """Grasps after which the search ends."""
    spare: float = 0.008
    """Of the gripper's opening that a thing leaves free, metres."""
    extra: float = 0.012
    """By which the pads are further apart than the thing when they approach, metres."""
    clearance: float = 0.002
    """Between the open gripper and anything else at least, metres."""
    retreat: float = 0.08
    """From the pre-grasp to the grasp, metres."""
    lift: float = 0.14
    """Metres."""
    seed: int = 0
