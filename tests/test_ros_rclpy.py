"""The bindings as rclpy: on the wire as ROS 2 announces itself, and with a second process. Loopback only."""

import os
import signal
import time

import pytest

pytest.importorskip("rosbags", reason="needs rosbags")
pytest.importorskip("cyclonedds", reason="needs cyclonedds")

from robodistill.ros.use import use_ros  # noqa: E402

if not use_ros():
    pytest.skip("a real rclpy is here: the bindings step aside", allow_module_level=True)

import rclpy  # noqa: E402
import ros_tools  # noqa: E402
from example_interfaces.action import Fibonacci  # noqa: E402
from example_interfaces.srv import AddTwoInts  # noqa: E402
from rcl_interfaces.msg import FloatingPointRange, ParameterDescriptor, SetParametersResult  # noqa: E402
from rcl_interfaces.srv import GetParameters, ListParameters, SetParameters  # noqa: E402
from rclpy.action import ActionClient  # noqa: E402
from rclpy.exceptions import InvalidTopicNameException, ParameterNotDeclaredException  # noqa: E402
from rclpy.executors import ExternalShutdownException, MultiThreadedExecutor, SingleThreadedExecutor  # noqa: E402
from rclpy.parameter import Parameter  # noqa: E402
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy  # noqa: E402
from ros_tools import result, until  # noqa: E402
from std_msgs.msg import String  # noqa: E402
from std_srvs.srv import SetBool, Trigger  # noqa: E402

from robodistill.ros.bindings.dds.graph import user_data_of  # noqa: E402
from robodistill.ros.bindings.dds.settings import configuration, domain_id  # noqa: E402
from robodistill.ros.bindings.rclpy.arguments import RosArgsError, parse  # noqa: E402
from robodistill.ros.bindings.rclpy.names import expand, remap  # noqa: E402


@pytest.fixture
def domain(monkeypatch):
    """A domain of its own."""
    number = ros_tools.new_domain()
    ros_tools.enter(monkeypatch, number)
    return number


@pytest.fixture
def context(domain):
    """ROS, begun and ended."""
    made = rclpy.Context()
    rclpy.init(args=["test"], context=made)
    yield made
    rclpy.try_shutdown(context=made)


@pytest.fixture
def node(context):
    """A node that nobody spins yet."""
    made = rclpy.create_node("tester", context=context)
    yield made
    made.destroy_node()


def spin(*nodes):
    """Serve them in a thread."""
    executor = MultiThreadedExecutor(3, context=nodes[0].context)
    for each in nodes:
        executor.add_node(each)
    return ros_tools.spinning(executor)


# --- the wire


def test_announcements_are_those_of_ros(node, context):
    """Names and types of topics, services and actions, user data, as rmw_cyclonedds announces them."""
    node.create_publisher(String, "chatter", 10)
    service = node.create_service(Trigger, "~/go", lambda request, response: response)
    ActionClient(node, Fibonacci, "/fib")
    found = {(e.topic, e.kind) for side in ("readers", "writers") for e in context.graph.endpoints(side)}
    wanted = {
        ("rt/chatter", "std_msgs::msg::dds_::String_"),
        ("rq/tester/goRequest", "std_srvs::srv::dds_::Trigger_Request_"),
        ("rr/tester/goReply", "std_srvs::srv::dds_::Trigger_Response_"),
        ("rq/fib/_action/send_goalRequest", "example_interfaces::action::dds_::Fibonacci_SendGoal_Request_"),
        ("rr/fib/_action/get_resultReply", "example_interfaces::action::dds_::Fibonacci_GetResult_Response_"),
        ("rq/fib/_action/cancel_goalRequest", "action_msgs::srv::dds_::CancelGoal_Request_"),
        ("rt/fib/_action/feedback", "example_interfaces::action::dds_::Fibonacci_FeedbackMessage_"),
        ("rt/fib/_action/status", "action_msgs::msg::dds_::GoalStatusArray_"),
        ("ros_discovery_info", "rmw_dds_common::msg::dds_::ParticipantEntitiesInfo_"),
        ("rt/rosout", "rcl_interfaces::msg::dds_::Log_"),
        ("rt/parameter_events", "rcl_interfaces::msg::dds_::ParameterEvent_"),
    }
    assert not wanted - found
    own = user_data_of(service._reader.entity.get_qos())
    assert list(own) == ["serviceid", "typehash"]
    digits = own["serviceid"].split(".")
    assert len(digits) == 16 and all(0 <= int(digit, 16) < 256 for digit in digits)
    assert own == {**user_data_of(service._writer.entity.get_qos()), "typehash": own["typehash"]}
    assert context.participant.entity.get_qos() is not None
    from cyclonedds.qos import Policy

    assert context.participant.entity.get_qos()[Policy.Userdata].data == b"enclave=/;"


def test_requests_begin_with_who_asks(node, context):
    """Request bytes: encapsulation, the client's 8 bytes, the number of the question, then the fields."""
    client = node.create_client(AddTwoInts, "add")
    qos = QoSProfile(depth=10)
    reader = context.participant.reader("rq/addRequest", "example_interfaces/srv/AddTwoInts_Request", qos)
    until(lambda: client._writer.matched(), what="a reader")
    client.call_async(AddTwoInts.Request(a=1, b=-1))
    client.call_async(AddTwoInts.Request(a=2, b=-1))
    seen = []
    until(lambda: seen.extend(reader.take(5)) or len(seen) == 2)
    guid = client._guid.to_bytes(8, "little")
    body = (1).to_bytes(8, "little") + b"\xff" * 8
    assert bytes(seen[0][0]) == b"\x00\x01\x00\x00" + guid + (1).to_bytes(8, "little") + body
    assert bytes(seen[1][0])[12:20] == (2).to_bytes(8, "little")
    reader.close()


def test_discovery_reaches_other_processes(node, domain):
    """Nodes, topics, services and their qualities, as another process told them."""
    with ros_tools.peer("server", domain):
        assert node.wait_for_node("/server", 60)
        until(lambda: dict(node.get_service_names_and_types_by_node("server", "/")).get("/add"))
        topics = dict(node.get_topic_names_and_types())
        assert topics["/ticks"] == ["std_msgs/msg/String"]
        (info,) = node.get_publishers_info_by_topic("/ticks")
        assert (info.node_name, info.qos_profile.reliability) == ("server", ReliabilityPolicy.RELIABLE)
        assert info.topic_type_hash.startswith("RIHS01_df668c74")
        services = dict(node.get_service_names_and_types_by_node("server", "/"))
        assert services["/server/set_parameters"] == ["rcl_interfaces/srv/SetParameters"]


def test_every_kind_of_exchange_with_another_process(node, domain):
    """Messages, two services, parameters, an action to its end and one that is cancelled."""
    heard = []
    node.create_subscription(String, "ticks", heard.append, 10)
    add, flip = node.create_client(AddTwoInts, "add"), node.create_client(SetBool, "flip")
    ask, tell = (
        node.create_client(GetParameters, "/server/get_parameters"),
        node.create_client(SetParameters, "/server/set_parameters"),
    )
    listing = node.create_client(ListParameters, "/server/list_parameters")
    action = ActionClient(node, Fibonacci, "fibonacci")
    with ros_tools.peer("server", domain), spin(node):
        assert all(client.wait_for_service(60) for client in (add, flip, ask, tell, listing))
        assert [result(add.call_async(AddTwoInts.Request(a=k, b=40))).sum for k in (1, 2)] == [41, 42]
        assert add.call(AddTwoInts.Request(a=-1, b=2**40), timeout_sec=5).sum == 2**40 - 1
        answer = result(flip.call_async(SetBool.Request(data=False)))
        assert (answer.success, answer.message) == (True, "gewählt ✓")
        until(lambda: len(heard) > 3)
        numbers = [int(message.data.split()[0]) for message in heard]
        assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
        assert set(result(listing.call_async(ListParameters.Request())).result.names) == {"gain", "use_sim_time"}
        assert result(ask.call_async(GetParameters.Request(names=["gain"]))).values[0].double_value == 1.5
        for value, wanted in ((2.5, True), ("loud", False)):
            request = SetParameters.Request(parameters=[Parameter("gain", value=value).to_parameter_msg()])
            assert result(tell.call_async(request)).results[0].successful is wanted
        assert result(ask.call_async(GetParameters.Request(names=["gain"]))).values[0].double_value == 2.5

        assert action.wait_for_server(60)
        feedback = []
        goal = Fibonacci.Goal(order=8)
        handle = result(action.send_goal_async(goal, feedback_callback=lambda m: feedback.append(m.feedback.sequence)))
        assert handle.accepted
        done = result(handle.get_result_async())
        assert (done.status, list(done.result.sequence)) == (4, [0, 1, 1, 2, 3, 5, 8, 13])
        until(lambda: len(feedback) == 6)
        handle = result(action.send_goal_async(Fibonacci.Goal(order=1000)))
        cancelled = result(handle.cancel_goal_async())
        assert len(cancelled.goals_canceling) == 1
        assert result(handle.get_result_async()).status == 5


def test_others_go_on_after_a_kill(node, domain):
    """One of two processes is killed in the middle of its work: the rest do not stall, and a new one is found."""
    heard = []
    node.create_subscription(String, "ticks", heard.append, 10)
    client = node.create_client(AddTwoInts, "add")
    own = []
    node.create_service(Trigger, "still_here", lambda request, response: own.append(1) or response)
    asker = node.create_client(Trigger, "still_here")
    with spin(node):
        with ros_tools.peer("server", domain) as victim:
            assert client.wait_for_service(60)
            result(client.call_async(AddTwoInts.Request(a=1, b=2)))
            until(lambda: heard)
            os.kill(victim.pid, signal.SIGKILL)
            victim.wait()
            lost = client.call_async(AddTwoInts.Request(a=1, b=2))
            begun = time.monotonic()
            for _ in range(20):
                result(asker.call_async(Trigger.Request()))
            assert time.monotonic() - begun < 20 and not lost.done() and len(own) == 20
        count = len(heard)
        with ros_tools.peer("server", domain):
            until(lambda: len(heard) > count + 3, 60)
            until(lambda: client.service_is_ready(), 60)
            # the dead one's endpoints are forgotten after their lease; the new one answers at once
            assert result(client.call_async(AddTwoInts.Request(a=5, b=5))).sum == 10


def test_signals_end_a_process_cleanly(node, domain):
    """SIGINT and SIGTERM: the node leaves the network and the process ends by itself."""
    for sent in (signal.SIGINT, signal.SIGTERM):
        with ros_tools.peer("server", domain) as process:
            assert node.wait_for_node("/server", 60)
            process.send_signal(sent)
            assert process.wait(60) == 0
            assert process.stdout.read().splitlines()[-1] == "gone"
            until(lambda: "server" not in node.get_node_names(), 30, "the node left")


# --- in one process


@pytest.mark.parametrize("begun", [False, True])
def test_a_context_may_end_at_any_step_of_spinning(domain, begun, monkeypatch):
    """As a signal ends it: before the executor waits for the first time, and while it looks for work."""
    context = rclpy.Context()
    rclpy.init(context=context)
    node = rclpy.create_node("brief", context=context)
    executor = SingleThreadedExecutor(context=context)
    executor.add_node(node)
    if begun:
        executor.spin_once(0.0)
        executor.entities_changed()

    def ended():
        context.try_shutdown()
        return None, None

    monkeypatch.setattr(executor, "_timers", ended)
    with pytest.raises(ExternalShutdownException):
        executor.spin()
    node.destroy_node()


def test_names_are_expanded_and_remapped():
    """Relative, absolute, private, with rules for one node."""
    assert expand("x", "n", "/a") == "/a/x" and expand("~/x", "n", "/a") == "/a/n/x" and expand("/x", "n", "/") == "/x"
    rules = [("other", "x", "no"), (None, "x", "/y"), (None, "~/z", "w")]
    assert remap("/a/x", rules, "n", "/a") == "/y" and remap("/a/n/z", rules, "n", "/a") == "/a/w"
    for wrong in ("9x", "a//b", "a b", "", "x/"):
        with pytest.raises(InvalidTopicNameException):
            expand(wrong, "n", "/")


def test_command_line(tmp_path):
    """Remaps, parameters, files with wildcards, levels; what is not ROS's is left; nonsense is refused."""
    file = tmp_path / "p.yaml"
    file.write_text("/**:\n  ros__parameters: {a: 1, deep: {b: two}}\nnear:\n  me:\n    ros__parameters: {a: 3}\n")
    line = ["prog", "x", "--ros-args", "-r", "__node:=me", "-r", "n:in:=/out", "-p", "c:=[1.5, 2]"]
    found = parse([*line, "--params-file", str(file), "--log-level", "warn", "--", "y"])
    assert found.rest == ["prog", "x", "y"]
    assert found.rename("__node", "n") == "me" and ("n", "in", "/out") in found.remaps
    assert found.values_for("/near/me") == {"c": [1.5, 2], "a": 3, "deep.b": "two"}
    assert found.values_for("/far/me")["a"] == 1
    for wrong in (["-r", "x"], ["--nothing"], ["-p"], ["--params-file", "/no/such.yaml"]):
        with pytest.raises(RosArgsError):
            parse(["--ros-args", *wrong])


def test_arguments_reach_the_node(domain):
    """Name, namespace, parameters and remappings of the command line."""
    context = rclpy.Context()
    words = ["-r", "__node:=eye", "-r", "__ns:=/head", "-p", "rate:=3", "-r", "image:=/cam"]
    rclpy.init(args=["p", "--ros-args", *words], context=context)
    node = rclpy.create_node("camera", context=context)
    assert node.get_fully_qualified_name() == "/head/eye"
    assert node.declare_parameter("rate", 1.0).value == 3.0
    assert node.create_publisher(String, "image", 1).topic_name == "/cam"
    node.destroy_node()
    rclpy.shutdown(context=context)


def test_parameters(node):
    """Types, ranges, read-only ones, callbacks that refuse, undeclared ones."""
    limits = ParameterDescriptor(floating_point_range=[FloatingPointRange(from_value=0.0, to_value=1.0)])
    node.declare_parameter("share", 0.5, limits)
    node.declare_parameter("fixed", "a", ParameterDescriptor(read_only=True))
    node.declare_parameter("list", [1, 2])

    def verdict(name, value):
        return node.set_parameters([Parameter(name, value=value)])[0]

    assert verdict("share", 0.75).successful and node.get_parameter("share").value == 0.75
    assert "out of range" in verdict("share", 2.0).reason
    assert "read-only" in verdict("fixed", "b").reason
    assert "Wrong parameter type" in verdict("share", "text").reason
    node.add_on_set_parameters_callback(lambda parameters: SetParametersResult(successful=False, reason="never"))
    assert verdict("list", [3]).reason == "never" and node.get_parameter("list").value == [1, 2]
    with pytest.raises(ParameterNotDeclaredException):
        node.get_parameter("unknown")


def test_timers_and_groups(context):
    """Timers keep their pace; mutually exclusive callbacks never overlap, reentrant ones do."""
    from rclpy.callback_groups import ReentrantCallbackGroup

    node = rclpy.create_node("busy", context=context)
    inside, most, calls = [0, 0], [0, 0], [0, 0]

    def work(kind):
        inside[kind] += 1
        most[kind] = max(most[kind], inside[kind])
        time.sleep(0.03)
        inside[kind] -= 1
        calls[kind] += 1

    shared = ReentrantCallbackGroup()
    for _ in range(2):
        node.create_timer(0.02, lambda: work(0))
        node.create_timer(0.02, lambda: work(1), shared)
    with spin(node):
        until(lambda: calls[0] > 5 and calls[1] > 5)
    assert most[0] == 1 and most[1] > 1
    node.destroy_node()


def test_latched_messages_reach_late_listeners(node, context):
    """Transient local: what was sent before somebody came; volatile ones miss it."""
    qos = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
    publisher = node.create_publisher(String, "map", qos)
    publisher.publish(String(data="old"))
    publisher.publish(String(data="new"))
    late, missed = [], []
    node.create_subscription(String, "map", late.append, qos)
    node.create_subscription(String, "map", missed.append, 1)
    with spin(node):
        until(lambda: late)
        time.sleep(0.1)
    assert [m.data for m in late] == ["new"] and not missed


def test_coroutines_and_deferred_answers(node):
    """A service that awaits another answers when that has; errors of callbacks reach whoever spins."""
    inner = node.create_client(AddTwoInts, "add")
    node.create_service(AddTwoInts, "add", lambda q, a: setattr(a, "sum", q.a + q.b) or a)

    async def twice(request, response):
        total = (await inner.call_async(AddTwoInts.Request(a=request.a, b=request.b))).sum
        response.sum = 2 * total
        return response

    node.create_service(AddTwoInts, "twice", twice)
    client = node.create_client(AddTwoInts, "twice")
    with spin(node):
        assert client.wait_for_service(60) and inner.wait_for_service(60)
        assert result(client.call_async(AddTwoInts.Request(a=2, b=3))).sum == 10

    def fail():
        raise ValueError("mine")

    executor = SingleThreadedExecutor(context=node.context)
    executor.add_node(node)
    node.create_timer(0.01, fail)
    with pytest.raises(ValueError, match="mine"):
        for _ in range(100):
            executor.spin_once(timeout_sec=0.1)


def test_simulated_time(node, context):
    """With use_sim_time a node's clock and timers follow /clock."""
    from rosgraph_msgs.msg import Clock

    other = rclpy.create_node("sim", context=context, parameter_overrides=[Parameter("use_sim_time", value=True)])
    clock = node.create_publisher(Clock, "/clock", 10)
    fired = []
    other.create_timer(1.0, lambda: fired.append(other.get_clock().now().nanoseconds))
    with spin(other, node):
        until(lambda: clock.get_subscription_count() == 1)
        message = Clock()
        for second in range(1, 6):
            message.clock.sec = second
            clock.publish(message)
            until(lambda: other.get_clock().now().nanoseconds == message.clock.sec * 10**9)  # noqa: B023
            time.sleep(0.25)
    assert len(fired) >= 4 and all(stamp % 10**9 == 0 for stamp in fired)
    other.destroy_node()


def test_logs_reach_rosout(node, capfd):
    """A line in ROS's form, filters, and a message on /rosout."""
    from rcl_interfaces.msg import Log

    heard = []
    node.create_subscription(Log, "/rosout", heard.append, 10)
    with spin(node):
        time.sleep(0.2)
        for _ in range(3):
            node.get_logger().warning("careful", once=True)
            node.get_logger().debug("unheard")
        until(lambda: heard)
    lines = capfd.readouterr().err.splitlines()
    assert len([line for line in lines if line.startswith("[WARN] [") and line.endswith("[tester]: careful")]) == 1
    assert heard[0].msg == "careful" and heard[0].level == Log.WARN and heard[0].function.startswith("test_logs")


def test_transforms(node):
    """A chain of moving and static transforms through /tf, at a time between two, and what cannot be answered."""
    import tf2_ros
    from geometry_msgs.msg import TransformStamped
    from rclpy.time import Time

    buffer = tf2_ros.Buffer()
    listener = tf2_ros.TransformListener(buffer, node)
    moving, static = tf2_ros.TransformBroadcaster(node), tf2_ros.StaticTransformBroadcaster(node)

    def link(parent, child, x, stamp=0.0, yaw=(0.0, 1.0)):
        made = TransformStamped(child_frame_id=child)
        made.header.frame_id = parent
        made.header.stamp.sec, made.header.stamp.nanosec = int(stamp), round(stamp % 1 * 1e9)
        made.transform.translation.x = x
        made.transform.rotation.z, made.transform.rotation.w = yaw
        return made

    with spin(node):
        until(lambda: moving.pub_tf.get_subscription_count() and static.pub_tf.get_subscription_count())
        static.sendTransform(link("base", "camera", 0.5))
        half = 0.5**0.5
        moving.sendTransform([link("map", "base", 1.0, 10.0), link("map", "base", 3.0, 11.0, (half, half))])
        until(lambda: buffer.can_transform("map", "camera", Time(seconds=10.5)))
    found = buffer.lookup_transform("map", "camera", Time(seconds=10.5)).transform
    angle = 0.25 * 3.141592653589793  # half of 90 degrees
    assert found.translation.x == pytest.approx(2.0 + 0.5 * 2**-0.5) and found.rotation.z == pytest.approx(
        pytest.importorskip("math").sin(angle / 2)
    )
    assert buffer.lookup_transform("map", "base", Time()).transform.translation.x == 3.0
    for target, source, at, error in (
        ("map", "camera", 12.0, tf2_ros.ExtrapolationException),
        ("map", "nowhere", 10.5, tf2_ros.LookupException),
    ):
        with pytest.raises(error):
            buffer.lookup_transform(target, source, Time(seconds=at))
    buffer.set_transform_static(link("island", "palm", 1.0), "")
    with pytest.raises(tf2_ros.ConnectivityException):
        buffer.lookup_transform("map", "palm", Time(seconds=10.5))
    with pytest.raises(tf2_ros.TransformException):
        buffer.set_transform(link("map", "bad", float("nan"), 1.0), "")
    listener.unregister()


def test_synchronizer(node):
    """Messages of two topics whose stamps are near; others wait or are dropped."""
    from message_filters import ApproximateTimeSynchronizer, SimpleFilter
    from std_msgs.msg import Header

    class Stamped:
        def __init__(self, at):
            self.header = Header()
            self.header.stamp.sec, self.header.stamp.nanosec = int(at), round(at % 1 * 1e9)
            self.at = at

    a, b = SimpleFilter(), SimpleFilter()
    pairs = []
    ApproximateTimeSynchronizer([a, b], 5, 0.05).registerCallback(lambda x, y: pairs.append((x.at, y.at)))
    for filter_, at in ((a, 1.0), (b, 1.2), (a, 1.21), (a, 2.0), (a, 2.06), (b, 2.04), (b, 2.0)):
        filter_.signalMessage(Stamped(at))
    assert pairs == [(1.21, 1.2), (2.06, 2.04), (2.0, 2.0)]


def test_network_settings():
    """The environment of ROS becomes configuration of Cyclone DDS; the user's own comes last."""
    here = configuration({"ROS_LOCALHOST_ONLY": "1"})
    assert 'address="127.0.0.1"' in here and "<AllowMulticast>false" in here and "65500B" in here
    far = configuration({"ROS_STATIC_PEERS": "10.0.0.2;robot"})
    assert '<Peer address="robot"/>' in far and "AllowMulticast" not in far
    own = configuration({"CYCLONEDDS_URI": "file:///mine.xml"})
    assert own.endswith(",file:///mine.xml") and "65500B" not in own
    assert domain_id({}) == 0 and domain_id({"ROS_DOMAIN_ID": "7"}) == 7
    with pytest.raises(ValueError, match="0 to 232"):
        domain_id({"ROS_DOMAIN_ID": "seven"})
