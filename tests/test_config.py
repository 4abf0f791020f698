"""Config: one place for defaults, YAML in and out, clear errors."""

import pytest
import yaml

from robodistill.config import BuildConfig, dump_config, from_dict, load_config
from robodistill.errors import BadInput
from robodistill.resources import find_resource


def test_shipped_yaml_holds_the_defaults():
    """config/robodistill.yaml says what the code does."""
    assert load_config(BuildConfig, find_resource("config/robodistill.yaml")) == BuildConfig()
    assert yaml.safe_load(find_resource("config/robodistill.yaml").read_text()) == yaml.safe_load(
        dump_config(BuildConfig())
    )


def test_yaml_round_trip(tmp_path):
    """What is dumped loads as it was; a part of it changes only that part."""
    path = tmp_path / "c.yaml"
    path.write_text(dump_config(BuildConfig()))
    assert load_config(BuildConfig, path) == BuildConfig()
    path.write_text("fit: {steps: 7, policy: {every: 3}}\nhold_out: 0\n")
    config = load_config(BuildConfig, path)
    assert (config.fit.steps, config.fit.policy.every, config.hold_out) == (7, 3, 0)
    assert config.seed == BuildConfig().seed


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("fit: {stepz: 7}", "fit: unknown key stepz; known are steps"),
        ("fit: {steps: many}", "fit.steps: int needed, got 'many'"),
        ("fit: {steps: true}", "fit.steps: int needed"),
        ("fit: 3", "fit: a mapping is needed"),
        ("[1, 2]", "a mapping is needed, got list"),
        ("a: [", "cannot be read"),
        ("\x00", "cannot be read"),
    ],
)
def test_bad_yaml_is_named(tmp_path, text, named):
    """One line that says which key and what would be valid."""
    path = tmp_path / "c.yaml"
    path.write_text(text)
    with pytest.raises(BadInput) as caught:
        load_config(BuildConfig, path)
    assert named in str(caught.value)


def test_missing_file_is_named(tmp_path):
    """A config that is not there is bad input."""
    with pytest.raises(BadInput, match="none.yaml"):
        load_config(BuildConfig, tmp_path / "none.yaml")


def test_whole_numbers_count_as_floats():
    """`depth_weight: 1` is as good as 1.0."""
    config = from_dict(BuildConfig, {"fit": {"depth_weight": 1}})
    assert isinstance(config.fit.depth_weight, float)
