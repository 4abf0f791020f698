"""The benchmark of topics and services, for three seconds."""

import pytest

pytest.importorskip("rosbags", reason="needs rosbags")
pytest.importorskip("cyclonedds", reason="needs cyclonedds")

from robodistill.bench import ros  # noqa: E402
from robodistill.bench.ros_peer import growth  # noqa: E402
from robodistill.progress import silent  # noqa: E402
from robodistill.ros.use import use_ros  # noqa: E402


def test_images_and_questions_between_two_processes():
    """640x480 colour and depth at 30 Hz with a question a second: none lost, all of it told."""
    use_ros()
    with ros._domain(), ros._peer([ros.sys.executable, "-m", "robodistill.bench.ros_peer"]), ros._Source() as source:
        services = {name: value for name, value, _, _ in source.services(50)}
        rows = {name: (value, n) for name, value, _, n in source.stream("rgbd", 3, silent)}
    assert rows["lost"] == (0, 180) and rows["service_p95_ms"][1] == 3
    assert 0 < services["service_p50_ms"] <= services["service_p95_ms"]
    assert 0 < rows["p50_ms"][0] <= rows["p95_ms"][0] < 1000
    assert 0 < rows["cpu_percent"][0] == max(rows["cpu_percent_sender"][0], rows["cpu_percent_receiver"][0])


def test_growth_is_that_of_the_end_over_the_beginning():
    """What a process takes while it warms up does not count."""
    assert growth([1, 9, 100, 100, 100, 100, 100, 100, 110, 110]) == pytest.approx(110 / 100 - 1)
    assert growth([5, 5]) == 0
