"""The built-in teacher: its words, its inputs, its answers."""

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from scipy.spatial.transform import Rotation

from robodistill.capture.frame import Frame
from robodistill.config import ShapeConfig
from robodistill.errors import BadInput
from robodistill.features.codec import identity_decoder
from robodistill.features.shape import add_shape
from robodistill.field.features import FeatureLayer
from robodistill.field.gaussians import FieldView, GaussianField
from robodistill.geometry.camera import Camera
from robodistill.geometry.planes import largest_plane
from robodistill.raster.sh import rgb_to_sh0
from robodistill.sim.objects import CATEGORIES
from robodistill.sim.views import look_at
from robodistill.teachers.builtin import words
from robodistill.teachers.builtin.image_net import BLOCKS, LOOKS, VISUAL, ImageNet, unit_blocks
from robodistill.teachers.builtin.inputs import CHANNELS, cell_points, input_channels
from robodistill.teachers.builtin.landmarks import COUNT, Landmarks
from robodistill.teachers.builtin.shape_net import ShapeNet
from robodistill.teachers.builtin.teacher import Builtin
from robodistill.teachers.builtin.vocabulary import known_words, plural_of, read_phrase
from robodistill.teachers.builtin.weights import CONCEPTS, load_weights
from robodistill.teachers.registry import load_image_teacher
from robodistill.training.labels import part_word

CAMERA = Camera.from_fov(np.radians(50), 64, 48)


def test_the_vocabulary_is_as_large_as_promised():
    """Six hundred words, each of which is read."""
    assert len(known_words()) >= 600
    for term in known_words():
        assert read_phrase(term)


@pytest.mark.parametrize("name", sorted(CATEGORIES))
def test_every_part_of_every_simulated_thing_has_a_word(name):
    """ "lid of the jar" names a lid and a jar, and the parts that it is told from are the thing's own."""
    parts = set()
    for seed in range(6):
        spec = CATEGORIES[name](np.random.default_rng(seed))
        parts |= {"body"} if len(spec.parts) == 1 else {part_word(part) for part in spec.parts}
    for part in parts:
        assert read_phrase(f"{part} of the {name}") == {"part": (part,), "thing": (name,)}
    assert parts <= set(words.PARTS_OF[name].split(", "))


def test_phrases_are_read_by_role():
    """Synonyms and plurals mean the same; a colour before a part is of the part."""
    assert read_phrase("the crimson cups") == read_phrase("red mug") == {"color": ("red",), "thing": ("mug",)}
    assert read_phrase("red cap of the bottle") == {"surface": ("red",), "part": ("cap",), "thing": ("bottle",)}
    assert read_phrase("cap of the red bottle") == {"part": ("cap",), "color": ("red",), "thing": ("bottle",)}
    assert read_phrase("shiny striped ball")["material"] == ("glossy",)
    assert set(read_phrase("some fruit")["thing"]) == {"lemon", "banana", "apple", "pear"}
    assert (plural_of("leaf"), plural_of("box"), plural_of("salad bowl")) == ("leaves", "boxes", "salad bowls")


@pytest.mark.parametrize(
    ("phrase", "said"),
    [
        ("mugg", "mug"),
        ("giraffe", "clip or siglip"),
        ("", "names nothing"),
        ("the", "names nothing"),
        ("red blue mug", "two"),
    ],
)
def test_what_is_not_known_is_told(phrase, said):
    """An unknown word is named, with the nearest that is known and a teacher that would know it."""
    with pytest.raises(BadInput, match=said):
        read_phrase(phrase)


def table_with_box() -> np.ndarray:
    """(48, 64) depth of a camera that looks down on a plane with a block on it."""
    depth = np.full((48, 64), 0.8, np.float32)
    depth[20:30, 25:40] = 0.75
    return depth


def test_height_is_measured_from_the_largest_plane():
    """The block stands 5 cm above the plane, whose normal is up; without depth only colour is there."""
    rgb = np.full((48, 64, 3), 255, np.uint8)
    seen = input_channels(rgb, table_with_box(), CAMERA)
    assert seen.shape == (CHANNELS, 48, 64) and np.abs(seen).max() <= 1
    height = 0.05 / 0.06 / (1 + 0.05 / 0.06)
    assert seen[4, 25, 32] == pytest.approx(height, abs=0.01) and abs(seen[4, 5, 5]) < 0.01
    assert seen[5, 5, 5] == pytest.approx(1, abs=1e-3)
    blind = input_channels(rgb, None, CAMERA)
    assert (blind[:3] == 1).all() and (blind[3:] == 0).all()


def test_a_plane_is_found_among_other_points():
    """Of 60 % on a plane and the rest anywhere; of a cloud there is none."""
    random = np.random.default_rng(0)
    flat = np.column_stack([random.uniform(-1, 1, (600, 2)), np.full(600, 0.3)])
    plane = largest_plane(np.concatenate([flat, random.uniform(-1, 1, (400, 3))]), 0.005, np.array([0, 0, 5.0]))
    assert plane == pytest.approx([0, 0, 1, -0.3], abs=1e-3)
    assert largest_plane(random.normal(size=(1000, 3)), 0.005, np.zeros(3)) is None


def test_blocks_have_unit_length_and_text_sums_cosines():
    """A phrase's product with a feature is the sum of the cosines of its roles."""
    teacher = Builtin()
    directions = load_weights("cpu").directions
    feature = torch.cat([directions[role][3] for role in BLOCKS]) / len(BLOCKS) ** 0.5
    thing, color = CONCEPTS["thing"][3], CONCEPTS["color"][3]
    fits = teacher.encode_text([f"{color} {thing}", thing, color]) @ feature
    assert fits == pytest.approx([2, 1, 1], abs=1e-4)
    contrasts = teacher.contrasts(f"{color} {thing}") @ feature
    assert len(contrasts) == len(CONCEPTS["thing"]) - 1 + len(CONCEPTS["color"]) - 1 and (contrasts < 1.9).all()
    assert all((block.norm(dim=-1) - 1).abs().max() < 1e-5 for block in unit_blocks(torch.randn(5, 112)).values())


def test_a_family_fits_each_of_its_members_as_well_as_their_own_names():
    """ "fruit" fits a lemon and a pear alike; segmentation takes the members one by one."""
    teacher, directions = Builtin(), load_weights("cpu").directions["thing"]
    fruit = teacher.encode_text(["fruit"])[0, : BLOCKS["thing"]] / len(BLOCKS) ** 0.5
    rows = directions[[CONCEPTS["thing"].index(name) for name in teacher.members("fruit")]]
    assert rows @ fruit == pytest.approx([1, 1, 1, 1], abs=1e-3)
    assert teacher.members("red mug") == ["red mug"] and teacher.members("red fruit") == ["red fruit"]


def test_a_part_is_told_from_the_other_parts_of_its_thing():
    """Inside a mug a handle competes with the body alone; a drawer not with the top drawer."""
    teacher = Builtin()
    assert len(teacher.contrasts("handle of the mug", "mug")) == 1
    assert len(teacher.contrasts("handle of the mug")) > 60


def test_the_spec_is_checked():
    """Options have values that are named when they are wrong; the visual head reads no text."""
    assert load_image_teacher("builtin:head=visual").dim == VISUAL
    assert load_image_teacher("builtin:head=looks").dim == LOOKS
    wrong = (("builtin:x", "no models"), ("builtin:head=y", "words, visual, looks"), ("builtin:side=0", ">= 1"))
    for spec, said in wrong:
        with pytest.raises(BadInput, match=said):
            load_image_teacher(spec)
    with pytest.raises(BadInput, match="correspondence"):
        Builtin("head=visual").encode_text(["mug"])


@pytest.mark.parametrize("head", ["words", "visual", "looks"])
def test_any_image_is_encoded(head):
    """Odd sizes, large images, no depth; the same twice."""
    teacher = Builtin(f"head={head}")
    random = np.random.default_rng(0)
    for size, depth in (((64, 48), True), ((101, 37), True), ((700, 500), False)):
        camera = Camera.from_fov(np.radians(50), *size)
        rgb = random.integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
        frame = Frame(rgb, np.full(rgb.shape[:2], 0.7, np.float32) if depth else None, camera, None)
        seen = teacher.encode(frame)
        assert seen.shape[2] == teacher.dim and max(seen.shape[:2]) <= (80 if head == "words" else 160)
        assert seen.norm(dim=-1) == pytest.approx(torch.ones(seen.shape[:2]), abs=1e-4)
        assert torch.equal(seen, teacher.encode(frame))


def test_fused_weights_answer_as_the_trained_network():
    """Folding batch norms into convolutions changes nothing but rounding."""
    torch.manual_seed(0)
    net = ImageNet()
    for module in net.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(module.running_mean, -0.2, 0.2)
            torch.nn.init.uniform_(module.running_var, 0.5, 2)
    from robodistill.teachers.builtin.weights import _fuse

    net.eval()
    x = torch.randn(1, CHANNELS, 32, 48)
    with torch.no_grad():
        before = net(x)
        _fuse(net)
        after = net(x)
    assert not any(isinstance(module, torch.nn.BatchNorm2d) for module in net.modules())
    assert all(torch.allclose(a, b, atol=1e-4) for a, b in zip(before, after, strict=True))


def test_points_of_cells_are_in_the_middle_of_them():
    """In metres in the camera frame; zero without depth."""
    points = cell_points(table_with_box(), CAMERA)
    assert (
        points.shape == (3, 12, 16) and points[2, 6, 8] == pytest.approx(0.75) and points[2, 0, 0] == pytest.approx(0.8)
    )
    v, u = 6 * 4 + 2, 8 * 4 + 2
    assert points[:, 6, 8] == pytest.approx(0.75 * CAMERA.rays()[v, u], abs=1e-6)
    assert not cell_points(None, CAMERA).any()


def test_a_place_is_the_same_from_wherever_it_is_seen():
    """Turning and shifting the camera changes no distance; what is not measured has no place."""
    torch.manual_seed(0)
    landmarks = Landmarks(8).eval()
    seen, points = torch.randn(1, 8, 16, 16).relu(), torch.rand(1, 3, 16, 16) * 0.4
    points[:, 2] += 0.6
    points[0, :, 3, 5] = 0
    turn = torch.from_numpy(Rotation.from_rotvec([0.1, -0.3, 0.2]).as_matrix()).float()
    moved = (turn @ points.flatten(2) + torch.tensor([[0.1], [-0.2], [0.4]])).reshape(points.shape)
    moved[0, :, 3, 5] = 0
    with torch.no_grad():
        before, after = landmarks(seen, points), landmarks(seen, moved)
    assert before.shape == (1, 2 * COUNT, 16, 16) and before.abs().max() > 0.05
    assert not before[0, :, 3, 5].any() and torch.allclose(before, after, atol=1e-4)


def test_broken_weights_are_refused(tmp_path):
    """Another file, and one of another version, are named."""
    (tmp_path / "a").write_bytes(b"nothing")
    save_file({"x": torch.zeros(1)}, tmp_path / "b", {"card": '{"version": 99, "concepts": {}}'})
    for name, said in (("a", "not the weights"), ("b", "version 99")):
        with pytest.raises(BadInput, match=said):
            load_weights("cpu", tmp_path / name)


def standing() -> GaussianField:
    """A dense table with two upright sheets on it, far apart."""
    random = np.random.default_rng(0)
    table = np.column_stack([random.uniform(-0.4, 0.4, (1500, 2)), np.zeros(1500)])
    sheets = [
        np.column_stack([random.uniform(-0.03, 0.03, 80) + x, np.zeros(80), random.uniform(0.01, 0.08, 80)])
        for x in (-0.2, 0.2)
    ]
    means = torch.from_numpy(np.concatenate([table, *sheets])).float()
    n = len(means)
    views = tuple(
        FieldView(f"{k}", CAMERA, look_at(np.array([0.6 * np.cos(k), 0.6 * np.sin(k), 0.6]), np.zeros(3)))
        for k in range(4)
    )
    return GaussianField(
        means=means,
        quats_wxyz=torch.tensor([[1.0, 0, 0, 0]]).repeat(n, 1),
        scales=torch.tensor([[0.01, 0.01, 0.001]]).repeat(n, 1),
        opacities=torch.full((n,), 0.9),
        sh=rgb_to_sh0(torch.full((n, 3), 0.5))[:, None],
        views=views,
    )


class Shapes:
    """A shape teacher that names what stands left and right of the middle of its own points."""

    spec, kind = "shapes", slice(0, 2)

    def describe(self, points):
        assert points.shape[1:] == (384, 7) and (points[..., 2] > 0).all() and points[..., :2].abs().max() < 1
        told = torch.zeros(*points.shape[:2], 4)
        told[..., 1] = 1
        return told


def test_shape_speaks_where_views_disagree():
    """Segments that stand on the table get what the shape encoder says; the table and sure segments keep theirs."""
    field = standing()
    features = torch.zeros(len(field), 4)
    features[:1500, 0] = 1
    features[1500:1580, 0] = 1
    features[1580:, 3] = 1  # nothing said of the kind
    layer = FeatureLayer("shapes", "uplift", features, identity_decoder(4))
    shaped = add_shape(field, layer, Shapes(), ShapeConfig(alike=-1.0)).features()
    assert torch.allclose(shaped[:1580], features[:1580], atol=0.02)
    assert (shaped[1580:, 1] > 0.3).all() and (shaped[1580:, 0] == 0).all()
    assert add_shape(field, layer, Shapes(), ShapeConfig(weight=0.0)) is layer


def test_points_in_any_order_have_the_same_shape():
    """The encoder sees a set."""
    torch.manual_seed(0)
    net, points, order = ShapeNet(5, 4).eval(), torch.randn(1, 50, 7), torch.randperm(50)
    with torch.no_grad():
        things, parts = net(points)
        again = net(points[:, order])
    assert torch.allclose(things[:, order], again[0], atol=1e-5) and torch.allclose(
        parts[:, order], again[1], atol=1e-5
    )
