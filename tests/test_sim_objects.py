"""The generated objects, without a simulator."""

import numpy as np
import pytest
import trimesh
from scipy.spatial import ConvexHull

from robodistill.sim.clutter import make_clutter
from robodistill.sim.colors import FIXED
from robodistill.sim.objects import CATEGORIES
from robodistill.sim.paint import FINISHES
from robodistill.sim.spec import ObjectSpec

SEEDS = (0, 1, 2)
ARTICULATED = [name for name, make in CATEGORIES.items() if make(np.random.default_rng(0)).joints]


def mass(spec: ObjectSpec) -> float:
    touching = (piece for piece in spec.pieces if piece.touches)
    return sum(ConvexHull(points).volume * piece.density for piece in touching for points in piece.solid.hulls)


def test_there_are_enough_categories():
    """A scene draws from at least 25 household categories, four of which articulate."""
    assert len(CATEGORIES) >= 25
    assert set(ARTICULATED) == {"cabinet", "chest", "scissors", "stapler"}


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("name", CATEGORIES)
def test_meshes_are_closed_and_face_outwards(name, seed):
    """Every edge belongs to an even number of faces that agree about the outside, and volumes are positive."""
    for piece in CATEGORIES[name](np.random.default_rng(seed)).pieces:
        mesh = piece.solid.mesh.copy()
        mesh.merge_vertices(digits_vertex=9)
        a, b, c = mesh.faces.T
        mesh.update_faces((a != b) & (b != c) & (c != a))  # slivers at poles
        _, counts = np.unique(mesh.edges_sorted, axis=0, return_counts=True)
        assert (counts % 2 == 0).all(), piece.part
        assert mesh.is_winding_consistent, piece.part
        assert mesh.volume > 0, piece.part


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("name", CATEGORIES)
def test_size_and_mass_are_those_of_household_things(name, seed):
    """Between a lemon's stem and a frying pan: sides of 5 mm to 35 cm, masses of 10 g to 2 kg."""
    spec = CATEGORIES[name](np.random.default_rng(seed))
    assert spec.category == name
    assert 0.005 < spec.size.min() and 0.03 < spec.size.max() < 0.35, spec.size
    assert 0.01 < mass(spec) < 2.0
    np.testing.assert_allclose(spec.bounds.mean(0), 0, atol=1e-9)


@pytest.mark.parametrize("name", CATEGORIES)
def test_what_touches_is_where_it_is_seen(name):
    """The convex pieces span the drawn object; 3 mm allow for coarser circles and for details that only show."""
    spec = CATEGORIES[name](np.random.default_rng(3))
    points = np.concatenate([p for piece in spec.pieces if piece.touches for p in piece.solid.hulls])
    shown = spec.bounds
    low, high = points.min(0), points.max(0)
    assert (low > shown[0] - 1e-4).all() and (high < shown[1] + 1e-4).all()
    assert abs(low[2] - shown[0, 2]) < 0.003, "it would float or sink"
    if name not in ("apple", "pear"):  # their stems and leaves do not touch
        np.testing.assert_allclose([low, high], shown, atol=0.006)


@pytest.mark.parametrize("name", CATEGORIES)
def test_a_seed_fixes_an_object(name):
    """The same seed gives the same vertices, another seed other proportions."""
    a, b, c = (CATEGORIES[name](np.random.default_rng(seed)) for seed in (5, 5, 6))
    for one, two in zip(a.pieces, b.pieces, strict=True):
        np.testing.assert_array_equal(one.solid.mesh.vertices, two.solid.mesh.vertices)
    assert np.abs(a.size - c.size).max() > 1e-4


@pytest.mark.parametrize("name", CATEGORIES)
def test_tints_and_finishes_are_known(name):
    """Every tint is drawn or fixed, something wears the object's own colour, and finishes exist."""
    for seed in SEEDS:
        spec = CATEGORIES[name](np.random.default_rng(seed))
        tints = {piece.tint for piece in spec.pieces}
        assert "main" in tints
        assert tints <= {"main", "accent", *FIXED}
        assert set(spec.finishes) <= set(FINISHES)


@pytest.mark.parametrize("name", ARTICULATED)
def test_a_joint_moves_its_parts_rigidly_and_no_others(name):
    """Moving parts go by the joint's own motion; the rest keeps its place, up to the common shift of centring."""
    spec = CATEGORIES[name](np.random.default_rng(1))
    joint = spec.joints[0]
    assert np.linalg.norm(joint.axis) == pytest.approx(1)
    assert set(joint.parts) < set(spec.parts)
    assert joint.limits[0] <= joint.value <= joint.limits[1]
    value = joint.limits[1]
    moved = spec.posed({joint.name: value})
    still = [k for k, piece in enumerate(spec.pieces) if piece.part not in joint.parts]
    shift = moved.pieces[still[0]].solid.mesh.vertices[0] - spec.pieces[still[0]].solid.mesh.vertices[0]
    T = joint.motion(value - joint.value)
    for k, (before, after) in enumerate(zip(spec.pieces, moved.pieces, strict=True)):
        expected = before.solid.mesh.vertices
        if k not in still:
            expected = trimesh.transform_points(expected, T)
            assert np.abs(expected - before.solid.mesh.vertices).max() > 0.01
        np.testing.assert_allclose(after.solid.mesh.vertices, expected + shift, atol=1e-9)
    assert moved.joints[0].value == value


@pytest.mark.parametrize("name", ARTICULATED)
def test_a_joint_returns(name):
    """Opening and closing gives the first state back."""
    spec = CATEGORIES[name](np.random.default_rng(2))
    joint = spec.joints[0]
    back = spec.posed({joint.name: joint.limits[1]}).posed({joint.name: joint.value})
    for before, after in zip(spec.pieces, back.pieces, strict=True):
        np.testing.assert_allclose(after.solid.mesh.vertices, before.solid.mesh.vertices, atol=1e-9)
    np.testing.assert_allclose(back.joints[0].origin, spec.joints[0].origin, atol=1e-9)


def test_clutter_is_solid():
    """Unlabelled things have volume and a graspable size too."""
    for seed in range(20):
        spec = make_clutter(np.random.default_rng(seed))
        assert spec.pieces[0].solid.mesh.volume > 0
        assert spec.size.max() < 0.2
        assert mass(spec) > 1e-4
