"""Launch files without ROS: the shim's parts, the files that ship, real processes; and recordings as topics."""

import io
import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytest.importorskip("rosbags", reason="needs rosbags")
pytest.importorskip("cyclonedds", reason="needs cyclonedds")

from robodistill.ros.use import use_ros  # noqa: E402

if not use_ros():
    pytest.skip("a real rclpy is here: the bindings step aside", allow_module_level=True)

import rclpy  # noqa: E402
import ros_tools  # noqa: E402
from launch import LaunchDescription, LaunchService  # noqa: E402
from launch.actions import (  # noqa: E402
    DeclareLaunchArgument,
    ExecuteProcess,
    GroupAction,
    IncludeLaunchDescription,
    LogInfo,
    OpaqueFunction,
    RegisterEventHandler,
    SetEnvironmentVariable,
    Shutdown,
    TimerAction,
)
from launch.conditions import IfCondition, UnlessCondition  # noqa: E402
from launch.event_handlers import OnProcessExit  # noqa: E402
from launch.launch_description_sources import PythonLaunchDescriptionSource  # noqa: E402
from launch.substitutions import (  # noqa: E402
    Command,
    EnvironmentVariable,
    LaunchConfiguration,
    PathJoinSubstitution,
    PythonExpression,
    ThisLaunchFileDir,
)
from launch_ros.actions import Node, PushRosNamespace, SetParameter, SetRemap  # noqa: E402
from launch_ros.parameter_descriptions import ParameterValue  # noqa: E402
from launch_ros.substitutions import FindPackageShare  # noqa: E402
from ros_tools import until  # noqa: E402

from robodistill.cli import main  # noqa: E402
from robodistill.ros.bindings.rclpy.arguments import parse  # noqa: E402
from robodistill.ros.launching import describe  # noqa: E402

ROOT = Path(__file__).parent.parent
FILES = sorted((ROOT / "launch").glob("*.launch.py"))


def carry_out(*entities, file=None, **arguments):
    """(exit code, what was said) of a description."""
    out = io.StringIO()
    service = LaunchService(out=out)
    service.context.launch_configurations |= arguments
    service.context.locals["file"] = file
    service.include_launch_description(LaunchDescription(entities))
    return service.run(), out.getvalue()


def say(*words, **options):
    """A process that prints its arguments and AROUND."""
    code = "import os, sys; print('said', *sys.argv[1:], os.environ.get('AROUND', ''))"
    return ExecuteProcess(cmd=[sys.executable, "-c", code, *words], **options)


def test_substitutions_and_scopes(tmp_path):
    """Arguments with defaults, expressions, conditions, groups, environment, includes, functions."""
    inner = tmp_path / "inner.launch.py"
    inner.write_text(
        "from launch import LaunchDescription\nfrom launch.actions import DeclareLaunchArgument, LogInfo\n"
        "from launch.substitutions import LaunchConfiguration, ThisLaunchFileDir\n"
        "def generate_launch_description():\n"
        "    return LaunchDescription([DeclareLaunchArgument('x', default_value='none'),\n"
        "        LogInfo(msg=['inner x=', LaunchConfiguration('x'), ' in ', ThisLaunchFileDir()])])\n"
    )
    code, said = carry_out(
        DeclareLaunchArgument("x", default_value="1"),
        DeclareLaunchArgument("y", default_value=PythonExpression(["3 * ", LaunchConfiguration("x"), " > 5"])),
        GroupAction(
            [SetEnvironmentVariable("AROUND", "here"), say(LaunchConfiguration("x"), LaunchConfiguration("y"))]
        ),
        say("if", condition=IfCondition(LaunchConfiguration("y"))),
        say("unless", condition=UnlessCondition(LaunchConfiguration("y"))),
        IncludeLaunchDescription(
            PythonLaunchDescriptionSource(PathJoinSubstitution([ThisLaunchFileDir(), "inner.launch.py"])),
            launch_arguments={"x": "7"}.items(),
        ),
        OpaqueFunction(function=lambda context: [LogInfo(msg=Command(f"{sys.executable} -c 'print(42)'"))]),
        LogInfo(msg=EnvironmentVariable("NOT_SET_ANYWHERE", default_value="fallback")),
        file=tmp_path / "outer.launch.py",
        x="2",
    )
    assert code == 0
    assert "said 2 True here" in said and "said if" in said and "said unless" not in said
    assert f"inner x=7 in {tmp_path}" in said and "42" in said and "fallback" in said


def test_processes(tmp_path):
    """Failures give an exit code, events lead on, respawn begins again, a required one ends all."""
    fails = ExecuteProcess(cmd=[sys.executable, "-c", "raise SystemExit(3)"])
    code, said = carry_out(
        fails, RegisterEventHandler(OnProcessExit(target_action=fails, on_exit=[LogInfo(msg="seen to fail")]))
    )
    assert code == 1 and "exit code 3" in said and "seen to fail" in said
    sleeper = "import time\ntry:\n  time.sleep(60)\nexcept KeyboardInterrupt:\n  print('interrupted')"
    begun = time.monotonic()
    code, said = carry_out(
        ExecuteProcess(cmd=[sys.executable, "-c", sleeper]),
        TimerAction(period=1.0, actions=[say("late")]),
        ExecuteProcess(cmd=[sys.executable, "-c", "import time; time.sleep(5)"], on_exit=Shutdown(reason="done")),
    )
    assert "said late" in said and "interrupted" in said and time.monotonic() - begun < 30
    marks = tmp_path / "marks"
    count = f"open({str(marks)!r}, 'a').write('x')"
    carry_out(
        ExecuteProcess(cmd=[sys.executable, "-c", count], respawn=True, respawn_delay=0.05),
        TimerAction(period=4.0, actions=[Shutdown()]),
    )
    assert len(marks.read_text()) > 2


def test_node_command_lines_are_launch_ros(tmp_path):
    """Names, namespaces, parameter files and remappings, as a node's parser reads them."""
    seen = tmp_path / "seen.json"
    program = tmp_path / "node"
    program.write_text(
        f"#!{sys.executable}\nimport json, sys\njson.dump(sys.argv, open({str(seen)!r}, 'w'))\n"
        "import shutil\nfor k, w in enumerate(sys.argv):\n"
        "    if w == '--params-file': shutil.copy(sys.argv[k + 1], sys.argv[k + 1] + '.kept')\n"
    )
    program.chmod(0o755)
    code, said = carry_out(
        DeclareLaunchArgument("rate", default_value="2.5"),
        SetParameter("use_sim_time", True),
        GroupAction(
            [
                PushRosNamespace("robot"),
                SetRemap("image", "/cam/image"),
                Node(
                    executable=str(program),
                    name="eye",
                    namespace="head",
                    parameters=[
                        {
                            "rate": LaunchConfiguration("rate"),
                            "label": ParameterValue(LaunchConfiguration("rate"), value_type=str),
                            "deep": {"list": [1, 2]},
                        }
                    ],
                    remappings=[("depth", "/cam/depth")],
                    arguments=["--plain"],
                ),
            ]
        ),
    )
    assert code == 0, said
    argv = json.loads(seen.read_text())
    argv = [
        word + ".kept" if before == "--params-file" else word for before, word in zip(["", *argv], argv, strict=False)
    ]
    found = parse(argv)
    assert found.rest[1:] == ["--plain"]
    assert found.rename("__node", "x") == "eye" and found.rename("__ns", "x") == "/robot/head"
    assert {(a, b) for _, a, b in found.remaps} >= {("image", "/cam/image"), ("depth", "/cam/depth")}
    values = found.values_for("/robot/head/eye")
    assert values == {"use_sim_time": True, "rate": 2.5, "label": "2.5", "deep.list": [1, 2]}
    for word in argv:
        if word.endswith(".kept"):
            os.unlink(word)


@pytest.mark.parametrize("file", FILES, ids=lambda path: path.stem)
def test_every_launch_file_can_be_carried_out(file, monkeypatch):
    """Each file's nodes exist, their parameter files are there, and each parameter is one that the node declares."""
    from robodistill.ros import settings
    from robodistill.ros.bindings.launch.launch_description_sources import load_description
    from robodistill.ros.bindings.launch.service import LaunchService as Service

    started = []
    monkeypatch.setattr(Service, "start", lambda self, action, words, *rest: started.append((action, words)))
    service = Service(out=io.StringIO())
    service.context.locals["file"] = file
    needed = {name: "x" for name, told in describe(file).items() if told["default"] is None}
    service.context.launch_configurations |= needed
    description = load_description(file)
    for argument in description.get_launch_arguments():
        if argument.default_value in ("true", "false", ""):  # start everything that can be started
            service.context.launch_configurations[argument.name] = "true"
    description.visit(service.context)
    assert started
    for action, words in started:
        if not isinstance(action, Node):
            continue
        found = parse(words)
        name = found.rename("__node", "")
        kind = getattr(settings, name.removesuffix("_node").capitalize() + "NodeSettings")
        given = found.values_for(f"{found.rename('__ns', '')}/{name}")
        assert given and set(given) <= set(kind.__dataclass_fields__), (name, given)
        for key, value in given.items():
            wanted = kind.__dataclass_fields__[key].type
            assert isinstance(value, wanted), f"{name}: {key} is {value!r}, {wanted.__name__} is declared"
    for path in service.temporary:
        path.unlink(missing_ok=True)


def test_rviz_shows_topics_that_nodes_have():
    """Each display's topic is one that its node publishes, and is asked for as it is offered."""
    import yaml

    shown = yaml.safe_load((ROOT / "config" / "robodistill.rviz").read_text())["Visualization Manager"]["Displays"]
    topics = [display["Topic"] for display in shown if "Topic" in display]
    assert len(topics) > 5
    for topic in topics:
        _, namespace, node, *rest = topic["Value"].split("/")
        made = (ROOT / "robodistill" / "ros" / "nodes" / f"{node}.py").read_text()
        (line,) = re.findall(rf'.*(?:create_publisher|_sender)\(.*/{rest[-1]}".*', made)
        assert namespace == "robodistill"
        assert ("_LATCHED" in line) == (topic["Durability Policy"] == "Transient Local"), line


def test_shares_are_found():
    """FindPackageShare finds the shipped files without an ament index."""
    assert Path(FindPackageShare("robodistill").perform(None)) == ROOT


def test_command_line_of_launch(capsys):
    """Arguments are told; unknown ones, a missing file and a missing value are one line and exit code 2."""
    assert main(["launch", "perception.launch.py", "--show-args", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["arguments"]["pose_source"]["default"] == "tf"
    for words, wanted in (
        (["perception.launch.py", "nonsense:=1"], "has no argument nonsense"),
        (["no.launch.py"], "perception.launch.py"),
        (["perception.launch.py", "x"], "name:=value"),
        (["build_field.launch.py", "capture:=x"], "argument 'output' is needed"),
    ):
        assert main(["launch", *words]) == 2
        error = capsys.readouterr().err
        assert wanted in error and len(error.splitlines()) == 1


def test_perception_runs(tmp_path, monkeypatch):
    """`robodistill launch`: real processes, reached by their names in the namespace, that end at SIGINT."""
    domain = ros_tools.new_domain()
    ros_tools.enter(monkeypatch, domain)
    command = [sys.executable, "-m", "robodistill.cli", "launch", "perception.launch.py", "namespace:=eyes"]
    command += [f"field:={tmp_path / 'none.field'}", "build:=false"]
    process = subprocess.Popen(
        command, env=ros_tools.environment(domain), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    from robodistill_interfaces.srv import QueryField

    context = rclpy.Context()
    rclpy.init(args=["test"], context=context)
    node = rclpy.create_node("asker", context=context)
    executor = rclpy.executors.SingleThreadedExecutor(context=context)
    executor.add_node(node)
    try:
        client = node.create_client(QueryField, "/eyes/query_node/query")
        assert client.wait_for_service(60)
        future = client.call_async(QueryField.Request(text="mug"))
        executor.spin_until_future_complete(future, 20)
        assert "not a field" in future.result().message
    finally:
        node.destroy_node()
        rclpy.shutdown(context=context)
        process.send_signal(2)
        said, _ = process.communicate(timeout=20)
    assert process.returncode in (0, 130), said
    assert "process has finished cleanly" in said and "Traceback" not in said


def write_bag(path):
    """Ten numbered texts in a second, and a latched one, as rosbags writes them."""
    from rosbags.rosbag2 import Writer
    from rosbags.typesys import Stores, get_typestore

    store = get_typestore(Stores.ROS2_JAZZY)
    String = store.types["std_msgs/msg/String"]
    with Writer(path, version=9) as writer:
        topics = {
            name: writer.add_connection(name, String.__msgtype__, typestore=store) for name in ("/count", "/other")
        }
        for k in range(10):
            for name, connection in topics.items():
                data = store.serialize_cdr(String(f"{name} {k}"), String.__msgtype__)
                writer.write(connection, 10**18 + k * 10**8, data)


def test_recordings_become_topics(tmp_path, monkeypatch, capsys):
    """`robodistill replay-bag`: every message, in order, at the recording's pace; topics can be chosen and renamed."""
    ros_tools.enter(monkeypatch, ros_tools.new_domain())
    write_bag(tmp_path / "bag")
    from std_msgs.msg import String

    context = rclpy.Context()
    rclpy.init(args=["test"], context=context)
    node = rclpy.create_node("ear", context=context)
    heard = []
    node.create_subscription(String, "/renamed", lambda m: heard.append((m.data, time.monotonic())), 50)
    executor = rclpy.executors.SingleThreadedExecutor(context=context)
    executor.add_node(node)
    with ros_tools.spinning(executor):
        words = [str(tmp_path / "bag"), "--topics", "/count", "--remap", "/count:=/renamed", "--delay", "1.5", "--json"]
        assert main(["replay-bag", *words]) == 0
        until(lambda: len(heard) == 10, 30)
    node.destroy_node()
    rclpy.shutdown(context=context)
    assert json.loads(capsys.readouterr().out)["messages"] == {"/count": 10}
    assert [data for data, _ in heard] == [f"/count {k}" for k in range(10)]
    assert 0.6 < heard[-1][1] - heard[0][1] < 10  # 0.9 s where nobody else works
    for words, wanted in (
        ([str(tmp_path / "bag"), "--topics", "/none"], "has no topic /none; it has /count, /other"),
        ([str(tmp_path / "nothing")], "cannot be read"),
        ([str(tmp_path / "bag"), "--rate", "0"], "more than 0"),
    ):
        assert main(["replay-bag", *words]) == 2
        assert wanted in capsys.readouterr().err
