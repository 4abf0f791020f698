"""Teachers by name: specs, folders, the hub's cache, and what is said where something is not there."""

import json
import os
import shutil
import socket
import subprocess
import sys
import time

import huggingface_hub.constants
import pytest
from tiny_models import small_frame, tiny

from robodistill.errors import BadInput, MissingPart, RobodistillError
from robodistill.teachers import hub, registry
from robodistill.teachers.catalog import TEACHERS, parse_argument, parse_spec, teachers_of


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """An empty cache of the hub, and no way to the hub."""
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    return tmp_path


def put_into_cache(cache, name, folder):
    """Lay a model's folder into the cache as the hub's library does."""
    place = cache / f"models--{name.replace('/', '--')}"
    shutil.copytree(folder, place / "snapshots" / "0123")
    (place / "refs").mkdir()
    (place / "refs" / "main").write_text("0123")
    return place / "snapshots" / "0123"


def test_specs_are_name_and_argument():
    """Everything after the first colon belongs to the argument."""
    assert parse_spec("clip") == ("clip", "")
    assert parse_spec("clip:/models:a/b") == ("clip", "/models:a/b")


def test_an_unknown_name_lists_the_known():
    """Who mistypes a teacher is told all of them."""
    with pytest.raises(BadInput) as caught:
        registry.load_image_teacher("klip")
    assert all(name in str(caught.value) for name in TEACHERS)


def test_options_are_taken_from_the_end():
    """Model and options are told apart, also where a folder's name holds a comma; no model is the default one."""
    known = {"side": 0, "dense": "clearclip"}
    assert parse_argument("clip", "/a,b/c,side=64,dense=maskclip", known) == (
        "/a,b/c",
        {"side": 64, "dense": "maskclip"},
    )
    assert parse_argument("clip", "side=64", known) == (TEACHERS["clip"].model, {"side": 64, "dense": "clearclip"})


@pytest.mark.parametrize("argument", ["size=3", "side=0", "side=big", "side=-4"])
def test_wrong_options_are_named(argument):
    """An option that is not known, or no whole number, is refused with what is known or needed."""
    with pytest.raises(BadInput, match="side"):
        parse_argument("siglip", argument, {"side": 0})


def test_a_wrong_way_of_density_is_refused():
    """`dense` has two values, and both are named."""
    with pytest.raises(BadInput, match="clearclip or maskclip"):
        registry.load_image_teacher("clip:dense=lseg")


@pytest.mark.parametrize("name", [name for name, entry in TEACHERS.items() if entry.model])
def test_making_a_teacher_reads_nothing(name, monkeypatch):
    """Weights, configuration and folder are looked for on first use, so a teacher can be made anywhere."""
    monkeypatch.setattr(hub, "find_model", lambda *_: pytest.fail("looked for the model"))
    load = {"image": registry.load_image_teacher, "phrases": registry.load_phrase_segmenter}[TEACHERS[name].can[0]]
    assert load(name).spec == f"{name}:{TEACHERS[name].model}"


def test_a_spec_makes_the_same_teacher_again(monkeypatch):
    """`spec` names model and options in full, and a local folder wherever it is asked from."""
    folder = tiny("clip")
    monkeypatch.chdir(folder.parent)
    teacher = registry.load_image_teacher(f"clip:{folder.name},side=64")
    assert teacher.spec == f"clip:{folder.resolve()},side=64"
    assert registry.load_image_teacher(teacher.spec).spec == teacher.spec


def test_teachers_without_text_name_those_with():
    """DINO reads no text; who asks is told which teachers do."""
    with pytest.raises(BadInput, match="dinov2.*reads text.*clip, siglip"):
        registry.load_text_teacher("dinov2")


def test_each_ability_is_checked():
    """A teacher is only loaded as what it can do."""
    with pytest.raises(BadInput, match="proposes masks.*sam, sam2"):
        registry.load_mask_proposer("clip")
    with pytest.raises(BadInput, match="encodes images"):
        registry.load_image_teacher("clipseg")
    with pytest.raises(BadInput, match="decodes prompts.*sam, sam2"):
        registry.load_prompt_decoder("clipseg")


def test_truth_gets_the_capture(tmp_path):
    """The capture reaches the one teacher that reads it."""
    with pytest.raises(BadInput, match=str(tmp_path)):
        registry.load_image_teacher("truth:noise=1", capture=tmp_path).encode(small_frame())


def test_a_teacher_that_does_not_ship_says_so(monkeypatch):
    """A module that is not part of this version is a missing part, not a defect."""
    monkeypatch.setattr(registry.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MissingPart, match="builtin.*does not ship"):
        registry.load_image_teacher("builtin")


def test_offline_without_weights_says_how_to_get_them(cache):
    """One line: which model, that it is not cached, and two commands' worth of help; and at once."""
    start = time.monotonic()
    with pytest.raises(MissingPart) as caught:
        registry.load_image_teacher("clip").encode(small_frame())
    said = str(caught.value)
    assert "\n" not in said and "not in the cache" in said
    assert "hf download openai/clip-vit-base-patch16 --local-dir FOLDER" in said and "clip:FOLDER" in said
    assert time.monotonic() - start < 5  # no waiting and no retries: nothing is asked


def test_a_silent_network_is_not_waited_for(cache, monkeypatch):
    """A server that takes the connection and never answers costs the time-out, not minutes."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        address = f"http://127.0.0.1:{server.getsockname()[1]}"
        # A new process, because the hub's library reads its address and its mode once.
        script = (
            "from robodistill.teachers import hub\nhub.SECONDS = 0.5\n"
            "try: hub.find_model('clip', 'someone/clip')\nexcept hub.MissingPart as error: print(error)"
        )
        environment = {**os.environ, "HF_ENDPOINT": address, "HF_HUB_OFFLINE": "0", "HF_HOME": str(cache)}
        done = subprocess.run(
            [sys.executable, "-c", script], env=environment, capture_output=True, text=True, timeout=60, check=True
        )
    assert "someone/clip of clip is not in the cache and cannot be fetched" in done.stdout


def test_a_cached_model_needs_no_network(cache):
    """A hub name is found in the cache; `auto` then takes it."""
    assert registry.resolve_auto() == "builtin" and registry.load_image_teacher("auto").spec == "builtin"
    put_into_cache(cache, TEACHERS["clip"].model, tiny("clip"))
    assert registry.resolve_auto() == f"clip:{TEACHERS['clip'].model}"
    assert registry.load_image_teacher("auto").encode(small_frame()).shape == (6, 8, 24)


def test_half_a_download_is_no_model(cache):
    """A cached model whose weights are not whole counts as not cached: all shards of an index must be there."""
    folder = put_into_cache(cache, TEACHERS["siglip"].model, tiny("siglip"))
    assert registry.resolve_auto() == f"siglip:{TEACHERS['siglip'].model}"
    shards = {"a": "model-00001-of-00002.safetensors", "b": "model-00002-of-00002.safetensors"}
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": shards}))
    (folder / "model.safetensors").rename(folder / shards["a"])
    assert hub.missing_files(folder) == shards["b"] and registry.resolve_auto() == "builtin"


@pytest.mark.parametrize("source", ["/nowhere/model", "./model", "~/no/such", "a/b/c", "what is this"])
def test_neither_folder_nor_hub_name(source, cache):
    """What is no folder and cannot be a hub name is bad input, not something to download."""
    with pytest.raises(BadInput, match="folder.*OWNER/NAME"):
        hub.find_model("clip", source)


def test_pickled_weights_are_refused(tmp_path):
    """A folder with pytorch_model.bin alone is named for what it lacks and what it holds."""
    shutil.copy(tiny("clip") / "config.json", tmp_path)
    (tmp_path / "pytorch_model.bin").write_bytes(b"")
    with pytest.raises(BadInput, match="lacks model.safetensors.*pytorch_model.bin.*never loaded"):
        _ = registry.load_image_teacher(f"clip:{tmp_path}").dim


def test_an_empty_folder_is_no_model(tmp_path):
    """The folder's lack is said."""
    with pytest.raises(BadInput, match="lacks config.json.*nothing"):
        _ = registry.load_image_teacher(f"sam:{tmp_path}").dim


def test_another_kind_of_model_is_named():
    """The message says what the folder holds, what is needed, and who reads it."""
    with pytest.raises(BadInput, match="'siglip', needed is clip; siglip is read by the teacher siglip"):
        _ = registry.load_image_teacher(f"clip:{tiny('siglip')}").dim
    assert teachers_of("sam2_video") == ["sam2"]


@pytest.mark.parametrize("text", ["{", '{"model_type": "clip", "projection_dim": "many"}'])
def test_a_broken_configuration_is_bad_input(tmp_path, text):
    """What is no JSON, or holds what transformers refuses, is named by its file."""
    (tmp_path / "model.safetensors").touch()
    (tmp_path / "config.json").write_text(text)
    with pytest.raises(RobodistillError, match="config.json"):
        _ = registry.load_image_teacher(f"clip:{tmp_path}").dim


def test_weights_that_lack_a_tensor_are_refused(tmp_path):
    """transformers would fill in random numbers; a teacher that knows nothing must not look like one."""
    from safetensors.torch import load_file, save_file

    folder = tmp_path / "model"
    shutil.copytree(tiny("clip"), folder)
    weights = load_file(folder / "model.safetensors")
    del weights["visual_projection.weight"]
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(BadInput, match="lack 1 tensors of CLIPModel, such as visual_projection.weight"):
        registry.load_image_teacher(f"clip:{folder}").encode(small_frame())


def test_broken_weights_are_bad_input(tmp_path):
    """A truncated file is the user's to repair: one line, not a traceback."""
    folder = tmp_path / "model"
    shutil.copytree(tiny("clip"), folder)
    whole = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(BadInput, match="cannot be read"):
        registry.load_image_teacher(f"clip:{folder}").encode(small_frame())


def test_weights_are_read_once_a_process():
    """Two teachers of one folder share the model: text and image sides of a query do not double the memory."""
    spec = f"clip:{tiny('clip')}"
    assert registry.load_image_teacher(f"{spec},side=64").model is registry.load_text_teacher(spec).model


def test_everything_runs_without_torchvision():
    """torchvision breaks beside a CPU build of torch, and two of transformers' own processors need it; ours do not."""
    specs = [f"clip:{tiny('clip')}", f"sam2:{tiny('sam2')}", f"dinov3:{tiny('dinov3_vit')}"]
    script = (
        "import sys\nsys.modules['torchvision'] = None\nsys.path.insert(0, sys.argv[1])\n"
        "from tiny_models import small_frame\nfrom robodistill.teachers.registry import load_image_teacher\n"
        "for spec in sys.argv[2:]: print(*load_image_teacher(spec).encode(small_frame()).shape)"
    )
    folder = os.path.dirname(__file__)
    done = subprocess.run([sys.executable, "-c", script, folder, *specs], capture_output=True, text=True, timeout=120)
    assert done.stdout.split("\n")[:3] == ["6 8 24", "8 8 32", "49 65 32"], done.stderr[-2000:]
