"""Definitions, message classes, their bytes and hashes: against constants of genuine ROS 2 and against rosbags."""

import array
from pathlib import Path

import numpy as np
import pytest

rosbags = pytest.importorskip("rosbags.typesys", reason="needs rosbags")
pytest.importorskip("cyclonedds", reason="needs cyclonedds")

from robodistill.ros.bindings.idl import spec  # noqa: E402
from robodistill.ros.bindings.idl.cdr import BadMessage  # noqa: E402
from robodistill.ros.bindings.idl.classes import action_type, codec, message_class, service_type  # noqa: E402
from robodistill.ros.bindings.idl.rihs import type_hash  # noqa: E402
from robodistill.ros.bindings.idl.spec import BadDefinition, parse_fields, parse_interface  # noqa: E402
from robodistill.ros.bindings.idl.store import Store, UnknownInterface, store  # noqa: E402

ROOT = Path(__file__).parent.parent
OURS = "robodistill_interfaces"
# of a genuine Jazzy
HASHES = {
    "std_msgs/msg/String": "df668c740482bbd48fb39d76a70dfd4bd59db1288021743503259e948f6b1a18",
    "sensor_msgs/msg/Image": "d31d41a9a4c4bc8eae9be757b0beed306564f7526c88ea6a4588fb9582527d47",
}


@pytest.fixture(scope="module", autouse=True)
def ours():
    """Our own interfaces are known."""
    store().add_folder(ROOT / "interfaces", OURS)


@pytest.fixture(scope="module")
def oracle():
    """rosbags' store of Jazzy's types."""
    return rosbags.get_typestore(rosbags.Stores.ROS2_JAZZY)


def test_hashes_are_those_of_ros():
    """RIHS01 of messages, as genuine ROS 2 announces them."""
    assert {name: type_hash(name) for name in HASHES} == {name: f"RIHS01_{value}" for name, value in HASHES.items()}


def test_hashes_agree_with_rosbags(oracle):
    """For all standard messages but those with a `char`, which genuine rosidl hashes as uint8 and rosbags does not."""

    def has_char(name, seen=()):
        fields = store().spec(name).fields
        inner = {f.type.base for f in fields}
        return "char" in inner or any(has_char(other) for other in inner if "/" in other)

    different = {name for name in oracle.fielddefs if oracle.hash_rihs01(name) != type_hash(name)}
    assert different == {name for name in oracle.fielddefs if has_char(name)}
    assert len(oracle.fielddefs) - len(different) > 150


def fill(cls, depth=0, rng=None):
    """A message with something in every field."""
    rng = rng or np.random.default_rng(0)
    message = cls()
    for field in store().spec(cls._name).fields:
        kind = field.type
        count = {"": 1, "fixed": kind.size, "bounded": min(kind.size, 2), "unbounded": 3}[kind.array]
        if kind.base == "bool":
            values = [bool(v) for v in rng.integers(0, 2, count)]
        elif kind.base in spec.INTEGERS:
            values = rng.integers(0, 100, count).tolist()
        elif kind.base in spec.NUMBERS:
            values = rng.integers(-9, 9, count).astype(float).tolist()
        elif kind.base in spec.TEXTS:
            values = [f"text ä {k}"[: kind.bound or None] for k in range(count)]
        else:
            values = [fill(message_class(kind.base), depth + 1, rng) for _ in range(count)]
        setattr(message, field.name, values if kind.array else values[0])
    return message


def as_rosbags(message, oracle):
    """The same message as rosbags' class."""
    values = {}
    for field in store().spec(message._name).fields:
        value, kind = getattr(message, field.name), field.type
        if "/" in kind.base:
            value = [as_rosbags(v, oracle) for v in value] if kind.array else as_rosbags(value, oracle)
        elif kind.array and kind.base in spec.NUMBERS:
            value = np.array(value, np.dtype(spec.NUMBERS[kind.base]))
        values[field.name] = value[0] if isinstance(value, bytes) and not kind.array else value
    if not values:
        values = {spec.EMPTY: 0}
    return oracle.types[message._name](**values)


def test_bytes_agree_with_rosbags(oracle):
    """Every standard message, full and empty, is written as rosbags writes it, and read back as it was."""
    checked = 0
    for name in oracle.fielddefs:
        if "wstring" in str(oracle.fielddefs[name]):
            continue
        for message in (fill(message_class(name)), message_class(name)()):
            data = codec(name).encode(message)
            wanted = bytes(oracle.serialize_cdr(as_rosbags(message, oracle), name))
            assert data == wanted.ljust(-(-len(wanted) // 4) * 4, b"\0"), name  # padded to 4, as the wire is
            assert codec(name).encode(codec(name).decode(data)) == data, name
            checked += 1
    assert checked > 300


def test_big_endian_is_read(oracle):
    """Bytes of the other order, as bags may hold them."""
    name = "sensor_msgs/msg/JointState"
    message = fill(message_class(name))
    swapped = bytes(oracle.serialize_cdr(as_rosbags(message, oracle), name, little_endian=False))
    assert codec(name).encode(codec(name).decode(swapped)) == codec(name).encode(message)


def test_any_buffer_is_taken_for_numbers():
    """bytes, array, list, numpy of another type; and numbers that do not fit are refused by name."""
    Image = message_class("sensor_msgs/msg/Image")
    encode = codec(Image._name).encode
    pixels = [1, 2, 250]
    written = {
        encode(Image(data=data))
        for data in (pixels, bytes(pixels), bytearray(pixels), array.array("B", pixels), np.array(pixels, np.int64))
    }
    assert len(written) == 1
    with pytest.raises(BadMessage, match="Image.data: a number does not fit"):
        encode(Image(data=[300]))
    with pytest.raises(BadMessage, match="Image.height"):
        encode(Image(height=-1))
    with pytest.raises(BadMessage, match="Image.encoding: text is needed, got int"):
        encode(Image(encoding=3))
    with pytest.raises(BadMessage, match="CameraInfo.k: 3 elements for double|CameraInfo.k: 3 elements for float64"):
        codec("sensor_msgs/msg/CameraInfo").encode(message_class("sensor_msgs/msg/CameraInfo")(k=[0.0] * 3))


@pytest.mark.parametrize("cut", [0, 3, 4, 11, 30])
def test_cut_bytes_are_an_error(cut):
    """Never a crash, never half a message."""
    data = codec("sensor_msgs/msg/Image").encode(message_class("sensor_msgs/msg/Image")(data=[1, 2, 3]))
    with pytest.raises(BadMessage):
        codec("sensor_msgs/msg/Image").decode(data[:cut])


def test_lengths_that_cannot_be_are_an_error():
    """A length of four billion allocates nothing."""
    with pytest.raises(BadMessage, match="do not fit"):
        codec("std_msgs/msg/String").decode(b"\x00\x01\x00\x00\xff\xff\xff\xff")


def test_messages_behave_as_rclpys():
    """Defaults, constants, unknown arguments and attributes, kinds of arrays."""
    Quaternion = message_class("geometry_msgs/msg/Quaternion")
    assert Quaternion().w == 1.0 and Quaternion() == Quaternion() != Quaternion(x=1.0)
    Log = message_class("rcl_interfaces/msg/Log")
    assert (Log.DEBUG, Log.FATAL) == (10, 50)
    with pytest.raises(AssertionError, match="Invalid arguments.*wrong"):
        Log(wrong=1)
    with pytest.raises(AttributeError):
        Log().wrong = 1
    info = message_class("sensor_msgs/msg/CameraInfo")()
    assert isinstance(info.k, np.ndarray) and isinstance(info.d, array.array)
    a, b = message_class("sensor_msgs/msg/PointCloud2")(), message_class("sensor_msgs/msg/PointCloud2")()
    a.fields.append(1)
    a.header.frame_id = "x"
    assert b.fields == [] and b.header.frame_id == ""
    assert message_class("diagnostic_msgs/msg/DiagnosticStatus").WARN == b"\x01"


def test_our_interfaces_are_complete():
    """What the package promises is there, and each of it survives the wire."""
    assert set(store().names(OURS, "msg")) == {"Grasp", "GraspArray", "Joint", "PartMotion"}
    services = {"BuildField", "EditField", "GraspQuery", "LocateCamera", "PlanMotion", "QueryField", "UpdateScene"}
    assert set(store().names(OURS, "srv")) == services
    assert set(store().names(OURS, "action")) == {"BuildField", "ReplayDemo", "TrackDemo"}
    classes = [message_class(f"{OURS}/msg/{name}") for name in store().names(OURS, "msg")]
    for name in services:
        kind = service_type(f"{OURS}/srv/{name}")
        classes += [kind.Request, kind.Response]
    for name in store().names(OURS, "action"):
        kind = action_type(f"{OURS}/action/{name}")
        classes += [kind.Goal, kind.Result, kind.Feedback, kind.Impl.FeedbackMessage, kind.Impl.SendGoalService.Request]
    for cls in classes:
        data = codec(cls._name).encode(fill(cls))
        assert codec(cls._name).encode(codec(cls._name).decode(data)) == data
        assert len(type_hash(cls._name)) == len("RIHS01_") + 64


def test_package_lists_every_interface_file():
    """The ament_cmake package generates what lies in its folders, and needs what its files use."""
    text = (ROOT / "interfaces" / "CMakeLists.txt").read_text()
    used = {
        line.split("/")[0]
        for f in ROOT.glob("interfaces/*/*")
        for line in f.read_text().splitlines()
        if "/" in line.split(" ")[0]
    }
    assert used and all(package in text for package in used)
    manifest = (ROOT / "interfaces" / "package.xml").read_text()
    assert all(f"<depend>{package}</depend>" in manifest for package in used)


def test_parser():
    """Defaults, constants, bounds, comments, and quotes with signs of comments in them."""
    made = parse_fields(
        "# a comment\nuint8 A=1  # one\nstring B='# no comment'\nint32[<=3] few [1, 2]\nfloat64[2] pair\n"
        'string<=5 short "abc"\nOther inner\npkg/Thing[] things\nbool yes true\n',
        "mine/msg/It",
    )
    assert made.constants == (("A", "uint8", 1), ("B", "string", "# no comment"))
    told = {f.name: (f.type.base, f.type.bound, f.type.array, f.type.size, f.default) for f in made.fields}
    assert told == {
        "few": ("int32", 0, "bounded", 3, [1, 2]),
        "pair": ("float64", 0, "fixed", 2, None),
        "short": ("string", 5, "", 0, "abc"),
        "inner": ("mine/msg/Other", 0, "", 0, None),
        "things": ("pkg/msg/Thing", 0, "unbounded", 0, None),
        "yes": ("bool", 0, "", 0, True),
    }


def test_bad_definitions_name_the_line():
    """Also a service with one part."""
    with pytest.raises(BadDefinition, match="line 2: 'int32 9x'"):
        parse_fields("int8 a\nint32 9x\n", "p/msg/M")
    with pytest.raises(BadDefinition, match="p/srv/S has 1 parts"):
        parse_interface("int8 a", "p", "srv", "S")
    with pytest.raises(UnknownInterface, match="no interface 'no_msgs/msg/No'"):
        Store().spec("no_msgs/msg/No")
