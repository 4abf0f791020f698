"""The simulator's articulated side: a scan, a film, and truth that fits both."""

import hashlib
import json

import cv2
import numpy as np
import pytest
from safetensors.numpy import load_file

from robodistill.capture.folder import FolderCapture
from robodistill.capture.read import read_json
from robodistill.errors import BadInput
from robodistill.geometry.camera import Camera
from robodistill.sim.articulated import ARTICULATED
from robodistill.sim.articulated.make import make_articulated
from robodistill.sim.articulated.motion import draw_handling
from robodistill.sim.articulated.stage import HAND
from robodistill.sim.spec import JointSpec

pytest.importorskip("mujoco")
av = pytest.importorskip("av")

VIEWS, FRAMES, SIZE = 6, 30, (160, 120)


def make(out, name="casket", seed=3, hand=True, views=VIEWS, noise="none", size=SIZE):
    return make_articulated(name, seed, out, hand, views, FRAMES, *size, noise=noise)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return make(tmp_path_factory.mktemp("articulated") / "casket").video.parent


@pytest.fixture(scope="module")
def truth(made):
    return read_json(made / "truth.json") | load_file(made / "truth.safetensors")


def film(folder):
    with av.open(str(folder / "demo.mp4")) as file:
        assert file.streams.video[0].codec_context.name == "h264"
        return [frame.to_ndarray(format="rgb24") for frame in file.decode(video=0)]


def demo_camera(folder):
    values = json.loads((folder / "demo_camera.json").read_text())
    K = [[values["fl_x"], 0, values["cx"]], [0, values["fl_y"], values["cy"]], [0, 0, 1]]
    return Camera.from_corner(np.array(K), values["w"], values["h"])


def masks(folder):
    return [cv2.imread(str(path), cv2.IMREAD_UNCHANGED) for path in sorted((folder / "demo_masks").glob("*.png"))]


def scanned_points(folder, truth):
    """Points of each part in scan-world coordinates, from depth and part masks, and their colours."""
    points = {part: [] for part in truth["parts"]}
    for frame in FolderCapture(folder / "scan").frames():
        labels = cv2.imread(str(folder / "scan" / "parts" / f"{frame.name}.png"), cv2.IMREAD_UNCHANGED)
        world = frame.camera.unproject(frame.depth.astype(float)) @ frame.T_world_camera[:3, :3].T
        world += frame.T_world_camera[:3, 3]
        for number, part in enumerate(truth["parts"], start=1):
            points[part].append(world[labels == number])
    return {part: np.concatenate(several) for part, several in points.items()}


def test_the_folder_holds_what_it_should(made, truth):
    """A capture, a film with its camera, masks, and one pose for each part and frame."""
    frames = film(made)
    assert len(frames) == len(masks(made)) == truth["frames"] == FRAMES
    assert frames[0].shape == (SIZE[1], SIZE[0], 3)
    assert truth["Ts_camera_part"].shape == (FRAMES, len(truth["parts"]), 4, 4)
    assert truth["Ts_camera_part"].dtype == np.float64
    assert truth["held"].shape == truth["visible"].shape == (FRAMES, len(truth["parts"]))
    assert truth["values"].shape == (FRAMES, len(truth["joints"]))
    assert len(FolderCapture(made / "scan")) == VIEWS
    assert demo_camera(made).K[0, 0] != FolderCapture(made / "scan")[0].camera.K[0, 0]


def test_scanned_points_land_on_their_part_in_the_film(made, truth):
    """Ts_camera_part carries scan-world points of a part to where the film shows that part, or what covers it."""
    camera, labels = demo_camera(made), masks(made)
    for p, points in enumerate(scanned_points(made, truth).values()):
        assert len(points) > 50
        for t in range(0, FRAMES, 5):
            T = truth["Ts_camera_part"][t, p]
            uv, _ = camera.project(points @ T[:3, :3].T + T[:3, 3])
            u, v = np.rint(uv).astype(int).T
            assert (0 <= u).all() and (u < camera.width).all() and (0 <= v).all() and (v < camera.height).all()
            grown = cv2.dilate((labels[t] == p + 1).astype(np.uint8), np.ones((3, 3), np.uint8))
            covered = np.isin(labels[t], [n + 1 for n in range(len(truth["parts"])) if n != p] + [HAND])
            assert (grown.astype(bool) | covered)[v, u].mean() > 0.94, (p, t)


def test_the_first_frame_is_the_rest_state(truth):
    """All parts go by one pose: the whole stands elsewhere, but as it was scanned."""
    first = truth["Ts_camera_part"][0]
    np.testing.assert_allclose(first, np.broadcast_to(first[0], first.shape), atol=1e-12)
    assert not truth["values"][0].any() and not truth["held"][0].any()
    visible = dict(zip(truth["parts"], truth["visible"][0], strict=True))
    assert visible["body"] > 0.5 and visible["lid"] > 0.5
    assert visible["drawer"] > 0.25  # most of it is inside the body


def test_joints_explain_relative_motion(truth):
    """Child against parent is the joint's motion by its value, in scan-world coordinates; ranges are those used."""
    for k, joint in enumerate(truth["joints"]):
        parent, child = (truth["parts"].index(joint[end]) for end in ("parent", "child"))
        T = np.linalg.inv(truth["Ts_camera_part"][:, parent]) @ truth["Ts_camera_part"][:, child]
        spec = JointSpec(
            "", joint["type"], (), np.array(joint["axis"]), np.array(joint["origin"]), (0, 0), pitch=joint["pitch"]
        )
        expected = np.stack([spec.motion(value) for value in truth["values"][:, k]])
        np.testing.assert_allclose(T, expected, atol=1e-9)
        np.testing.assert_allclose(joint["range"], [truth["values"][:, k].min(), truth["values"][:, k].max()])
        assert joint["moved"] == (np.ptp(truth["values"][:, k]) > 0)


def test_hands_cover_what_they_hold(made, truth):
    """While a part is held a hand is seen in the film and hides some of it; no hand in the first frame."""
    labels = masks(made)
    assert not (labels[0] == HAND).any()
    held = truth["held"].astype(bool)
    assert held.any()
    for t in np.flatnonzero(held.any(1)):
        assert (labels[t] == HAND).sum() > 50
    bare = truth["visible"][0]
    for p in np.flatnonzero(held.any(0)):
        assert truth["visible"][held[:, p], p].min() < bare[p] - 0.05


def test_hands_leave_enough_to_be_followed(truth):
    """Of each held part, on average, at least two fifths of what would be seen without hands; a regrip turns less."""
    held = truth["held"].astype(bool)
    for p in np.flatnonzero(held.any(0)):
        assert truth["visible"][held[:, p], p].mean() > 0.4 * truth["visible"][0, p]
    jar = ARTICULATED["jar"](np.random.default_rng(0))
    handling = draw_handling(jar, np.eye(4), FRAMES, np.random.default_rng(1))
    back, ways = np.linalg.inv(handling.Ts_world_object), (handling.Ts_world_part, handling.Ts_world_hand)
    lid, hand = (back @ Ts[:, 1] for Ts in ways)
    turns = [np.ptp(np.unwrap(np.arctan2(T[:, 1, 0], T[:, 0, 0]))) for T in (lid, hand)]
    rises = [np.ptp(T[:, 2, 3]) for T in (lid, hand)]
    assert turns[0] > 3 and turns[1] < 0.2 * turns[0] and abs(rises[0] - rises[1]) < 1e-9


def test_without_hands_nothing_is_held(tmp_path):
    """The same object and camera, nothing before it."""
    folder = make(tmp_path / "bare", hand=False, views=1).video.parent
    assert not load_file(folder / "truth.safetensors")["held"].any()
    assert not any((labels == HAND).any() for labels in masks(folder))


def test_the_same_arguments_give_the_same_bytes(tmp_path):
    """Scan, film and truth."""
    a, b = (make(tmp_path / n, "switch", 1, views=1, noise="sensor", size=(64, 48)).video.parent for n in "ab")
    files = sorted(path.relative_to(a) for path in a.rglob("*") if path.is_file())
    assert len(files) > FRAMES
    digests = [[hashlib.sha256((folder / path).read_bytes()).hexdigest() for path in files] for folder in (a, b)]
    assert digests[0] == digests[1]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"name": "sofa"}, "no object 'sofa'"),
        ({"seed": -1}, "seed is -1"),
        ({"size": (65, 48)}, "even sides"),
        ({"views": 0}, "views is 0"),
        ({"noise": "loud"}, "'none' and 'sensor' are known"),
    ],
)
def test_bad_arguments_are_refused(tmp_path, changes, message):
    """One clear line, and nothing is written."""
    with pytest.raises(BadInput, match=message):
        make(tmp_path / "x", **changes)
    assert list(tmp_path.iterdir()) == []


def test_there_are_the_objects_of_the_list():
    """At least ten, of all kinds of joints, some with several; another seed gives other proportions."""
    made = [[maker(np.random.default_rng(seed)) for seed in (0, 1)] for maker in ARTICULATED.values()]
    assert len(made) >= 10
    assert {joint.kind for one, _ in made for joint in one.joints} == {"revolute", "prismatic", "screw"}
    assert sum(len(one.joints) > 1 for one, _ in made) >= 4
    for one, other in made:
        assert np.abs(one.spec.size - other.spec.size).max() > 1e-4
        assert len(one.joints) == len(one.parts) - 1
        np.testing.assert_allclose(one.spec.bounds.mean(0), 0, atol=1e-9)


@pytest.mark.parametrize("name", ARTICULATED)
def test_joints_carry_their_parts_and_return(name):
    """Posing moves what a joint's parts are and no more, axes and grips go along, and posing back gives the start."""
    made = ARTICULATED[name](np.random.default_rng(4))
    low, high = np.array([joint.limits for joint in made.joints]).T
    start = np.array([joint.value for joint in made.joints])
    values = low + 0.6 * (high - low)
    posed = made.posed(values)
    back = posed.posed(start)
    for before, after in zip(made.spec.pieces, back.spec.pieces, strict=True):
        np.testing.assert_allclose(after.solid.mesh.vertices, before.solid.mesh.vertices, atol=1e-9)
    for k, joint in enumerate(made.joints):
        only = np.where(np.arange(len(start)) == k, values, start)
        Ts = made.Ts_object_part(only)
        moved = [part for part, T in zip(made.parts, Ts, strict=True) if np.abs(T - np.eye(4)).max() > 1e-9]
        assert set(moved) == set(joint.parts)
        on_axis = np.append(joint.origin + 0.03 * joint.axis, 1)
        if joint.kind == "revolute":
            np.testing.assert_allclose(Ts[made.parts.index(made.child(joint))] @ on_axis, on_axis, atol=1e-9)
    for part, grips in posed.grips.items():
        T = posed_by(made, values, part)
        for before, after in zip(made.grips[part], grips, strict=True):
            np.testing.assert_allclose(after.T_object_grip, T @ before.T_object_grip, atol=1e-9)


def posed_by(made, values, part):
    return made.Ts_object_part(values)[made.parts.index(part)]
