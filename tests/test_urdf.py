"""URDF of a tracked object: it loads, moves as its joints say, and its meshes are where the field has the parts."""

import xml.etree.ElementTree as ET
from dataclasses import replace

import numpy as np
import pytest
import torch
import trimesh
from scipy.spatial import ConvexHull

from robodistill.errors import BadInput
from robodistill.field.gaussians import FieldView, GaussianField
from robodistill.geometry.camera import Camera
from robodistill.sim.views import hemisphere_views
from robodistill.tracking.motion import Joint, PartMotion
from robodistill.tracking.part_mesh import part_mesh
from robodistill.tracking.urdf import export_urdf, write_urdf

pytest.importorskip("open3d", exc_type=ImportError)

CAMERA = Camera.from_fov(0.8, 320, 240)
SIZE = np.array([0.10, 0.08, 0.05])
NONE = np.zeros(0, np.int32)
HINGE = np.array([0.0, 0.04, 0.05])


def faces_of_box(low, high, names, rng, count=900):
    """Points and normals on some sides of a box: "+x-z" are two."""
    points, normals = [], []
    for sign, axis in zip(names[::2], names[1::2], strict=True):
        k = "xyz".index(axis)
        p = rng.uniform(low, high, (count, 3))
        p[:, k] = high[k] if sign == "+" else low[k]
        points.append(p)
        normals.append(np.tile((1.0 if sign == "+" else -1.0) * np.eye(3)[k], (count, 1)))
    return np.concatenate(points), np.concatenate(normals)


@pytest.fixture(scope="module")
def field_and_labels():
    """An open box without a bottom that was never seen, and a lid on it: flat Gaussians on their surfaces."""
    rng = np.random.default_rng(0)
    base = faces_of_box([-0.05, -0.04, 0.0], [0.05, 0.04, 0.05], "+x-x+y-y", rng)
    floor = faces_of_box([-0.05, -0.04, 0.002], [0.05, 0.04, 0.002], "+z", rng)
    lid = faces_of_box([-0.05, -0.04, 0.051], [0.05, 0.04, 0.059], "+x-x+y-y+z", rng, 500)
    points, normals = (np.concatenate(pair) for pair in zip(base, floor, lid, strict=True))
    n = len(points)
    labels = np.zeros(n, np.int32)
    labels[len(base[0]) + len(floor[0]) :] = 1
    across = np.cross([0.0, 0.0, 1.0], normals)
    angle = np.arccos(normals[:, 2])
    across[np.linalg.norm(across, axis=1) < 1e-9] = [1.0, 0, 0]
    across /= np.linalg.norm(across, axis=1, keepdims=True)
    quats = np.concatenate([np.cos(angle / 2)[:, None], np.sin(angle / 2)[:, None] * across], axis=1)
    colors = np.where(labels[:, None] == 0, [0.2, 0.4, 0.8], [0.8, 0.3, 0.2])
    field = GaussianField(
        torch.tensor(points, dtype=torch.float32),
        torch.tensor(quats, dtype=torch.float32),
        torch.tensor([[0.002, 0.002, 0.0003]]).repeat(n, 1),
        torch.full((n,), 0.95),
        torch.tensor((colors - 0.5) / 0.28209479, dtype=torch.float32)[:, None],
        tuple(
            FieldView(str(k), CAMERA, T)
            for k, T in enumerate(hemisphere_views(12, rng, distances=(0.3, 0.4), elevations=(10, 75)))
        ),
    )
    return field, labels


def joint(kind, pitch=0.0, span=(-0.2, 1.0)):
    axis = np.zeros(3) if kind in ("fixed", "free") else np.array([-1.0, 0, 0])
    return Joint(kind, 0, 1, axis, HINGE, pitch, np.zeros(5), span if axis.any() else (0.0, 0.0))


def motion_of(labels, *joints, parts=("box", "box lid")):
    Ts = np.tile(np.eye(4), (5, len(parts), 1, 1))
    ones = np.ones((5, len(parts)))
    return PartMotion(parts, Ts, ones, ones, ones > 2, joints, labels, np.arange(5) / 30, CAMERA)


@pytest.fixture(scope="module")
def meshes(field_and_labels):
    field, labels = field_and_labels
    return [part_mesh(field, labels == k) for k in range(2)]


@pytest.fixture(scope="module")
def exported(field_and_labels, tmp_path_factory):
    field, labels = field_and_labels
    return export_urdf(field, motion_of(labels, joint("revolute")), tmp_path_factory.mktemp("urdf") / "out")


def inside(piece, points):
    """(N,) whether points are in a convex mesh."""
    planes = ConvexHull(piece.vertices).equations
    return (points @ planes[:, :3].T + planes[:, 3] < -1e-4).all(1)


def distances(mesh, points):
    """(N,) metres from points to a mesh's surface."""
    import open3d

    scene = open3d.t.geometry.RaycastingScene()
    scene.add_triangles(np.asarray(mesh.vertices, np.float32), np.asarray(mesh.faces, np.uint32))
    return scene.compute_distance(np.asarray(points, np.float32)).numpy()


def test_it_loads_in_mujoco_and_turns_about_the_joint(exported):
    """A revolute joint with its range; at a value the lid is where the joint's formula has it."""
    mujoco = pytest.importorskip("mujoco")
    model = mujoco.MjModel.from_xml_path(str(exported))
    assert model.njnt == 1
    np.testing.assert_allclose(model.jnt_range[0], [-0.2, 1.0], atol=1e-6)
    data = mujoco.MjData(model)
    data.qpos[0] = 0.7
    mujoco.mj_forward(model, data)
    body = data.body("box_lid")
    R = trimesh.transformations.rotation_matrix(0.7, [-1, 0, 0])[:3, :3]
    np.testing.assert_allclose(body.xmat.reshape(3, 3), R, atol=1e-6)
    np.testing.assert_allclose(body.xpos, HINGE, atol=1e-6)
    assert model.ngeom >= 3
    assert 0.01 < model.body_mass.sum() < 1.0


def test_it_loads_in_roboticstoolbox(exported):
    """The same joint, and the same place of the lid."""
    toolbox = pytest.importorskip("roboticstoolbox")
    robot = toolbox.Robot.URDF(str(exported))
    assert robot.n == 1
    T = np.asarray(robot.fkine([0.7], end="box_lid").A)
    expected = trimesh.transformations.rotation_matrix(0.7, [-1, 0, 0])
    expected[:3, 3] = HINGE
    np.testing.assert_allclose(T, expected, atol=1e-6)


@pytest.mark.parametrize(("kind", "joints"), [("fixed", 0), ("prismatic", 1), ("screw", 2), ("free", 6)])
def test_every_kind_loads(meshes, tmp_path, kind, joints):
    """A screw's slide follows its turn; a free part has six freedoms."""
    mujoco = pytest.importorskip("mujoco")
    pitch = 0.002 if kind == "screw" else 0.0
    model = mujoco.MjModel.from_xml_path(str(write_urdf(meshes, motion_of(NONE, joint(kind, pitch)), tmp_path / "o")))
    assert model.njnt == joints
    if kind == "screw":
        assert model.neq == 1
        assert model.eq_data[0, 1] == pytest.approx(0.002)


def test_meshes_lie_on_the_parts(exported, field_and_labels):
    """The closed surface runs through the part's Gaussians within 2 mm, and stays in its box."""
    field, labels = field_and_labels
    for part, name, origin in ((0, "box", np.zeros(3)), (1, "box_lid", HINGE)):
        mesh = trimesh.load(exported.parent / "meshes" / f"{name}.obj", process=True)
        points = field.means.numpy()[labels == part] - origin
        assert np.quantile(distances(mesh, points), 0.9) < 0.002
        assert (mesh.bounds[0] > points.min(0) - 0.004).all() and (mesh.bounds[1] < points.max(0) + 0.004).all()


def test_colors_and_inertia_are_told(exported):
    """The mean colour of a part, a positive mass, and a centre in the part."""
    robot = ET.parse(exported).getroot()
    color = robot.find("link[@name='box']/visual/material/color").get("rgba").split()
    np.testing.assert_allclose([float(c) for c in color], [0.2, 0.4, 0.8, 1.0], atol=0.02)
    lid = robot.find("link[@name='box_lid']/inertial")
    center = HINGE + [float(v) for v in lid.find("origin").get("xyz").split()]
    np.testing.assert_allclose(center, [0, 0, 0.055], atol=0.004)
    mass = float(lid.find("mass").get("value"))
    assert mass == pytest.approx(500 * 0.10 * 0.08 * 0.008, rel=0.2)


def test_the_hollow_of_a_box_stays_open(meshes, field_and_labels):
    """No convex piece fills the open box, though its hull does; all that is seen of it is near a piece."""
    field, labels = field_and_labels
    pieces = meshes[0].pieces
    assert 3 < len(pieces) <= 20
    hollow = np.random.default_rng(1).uniform([-0.04, -0.03, 0.01], [0.04, 0.03, 0.05], (200, 3))
    assert np.mean([inside(piece, hollow) for piece in pieces], axis=1).max() < 0.05
    points = field.means.numpy()[labels == 0][::11]
    assert np.quantile(np.min([distances(piece, points) for piece in pieces], axis=0), 0.95) < 0.003


def test_what_is_convex_is_one_piece(meshes):
    """The lid is a slab."""
    assert len(meshes[1].pieces) == 1
    assert meshes[1].pieces[0].volume == pytest.approx(0.10 * 0.08 * 0.008, rel=0.1)


def test_a_part_without_gaussians_and_a_full_folder_are_refused(field_and_labels, meshes, tmp_path):
    """One clear line each."""
    field, labels = field_and_labels
    with pytest.raises(BadInput, match="0 solid Gaussians"):
        export_urdf(field, motion_of(np.ones_like(labels), joint("fixed")), tmp_path / "a")
    with pytest.raises(BadInput, match="labels"):
        export_urdf(field, replace(motion_of(labels, joint("fixed")), labels=labels[:-1]), tmp_path / "a")
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "mine").write_text("keep")
    with pytest.raises(BadInput, match="not empty"):
        write_urdf(meshes, motion_of(labels, joint("fixed")), tmp_path / "b")
