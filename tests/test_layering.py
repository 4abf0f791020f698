"""The source keeps its own rules: one direction of imports, small modules, heavy libraries only where they are used."""

import ast
import graphlib
import re
import statistics
from pathlib import Path

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "robodistill"

# Lowest first; a module imports from its own part and from lower layers only.
LAYERS = [
    {"", "errors"},  # "" is robodistill/__init__.py
    {"config", "parallel", "progress", "resources"},
    {"geometry"},
    {"capture"},
    {"raster", "teachers", "robots"},
    {"field"},
    {"features"},
    {"language", "parts", "inversion"},
    {"edit", "tracking"},
    {"sim", "report", "grasp"},
    {"training", "planning"},
    {"pipeline"},
    {"ros"},
    {"bench", "doctor", "viewer"},
    {"cli"},
]
RANK = {part: rank for rank, layer in enumerate(LAYERS) for part in layer}

# Imported inside the function that needs them: optional, or too slow for `robodistill --help`.
LAZY = {"mujoco", "rosbags", "open3d", "gsplat", "numba", "matplotlib", "viser", "av", "transformers", "rclpy"}
LAZY |= {
    "skimage",
    "sklearn",
    "PIL",
    "huggingface_hub",
    "tokenizers",
    "launch",
    "roboticstoolbox",
    "coal",
    "ompl",
    "toppra",
    "ruckig",
}
# torchvision breaks transformers beside a CPU build of torch; pickles run code on loading; plyfile is GPL.
BANNED = {"torchvision", "pickle", "cPickle", "dill", "plyfile", "lietorch"}

MODULES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
    for path in sorted(PACKAGE.rglob("*.py"))
}
# Compiled functions are decorated where they stand, so these load numba; only functions import them.
JITTED = {name for name in MODULES if name.startswith("robodistill.bench.peers.numba_")}
# Nodes read as any code for ROS; only entry points load them, and their package makes sure that an rclpy is there.
NODES = {name for name in MODULES if name.startswith("robodistill.ros.nodes")}
TREES = {name: ast.parse(path.read_text(), str(path)) for name, path in MODULES.items()}


def part(module: str) -> str:
    """`robodistill.capture.frame` belongs to the part `capture`."""
    return (module.split(".") + [""])[1]


def imported(name: str, node: ast.AST) -> list[str]:
    """The modules that an import statement in module `name` loads; empty for any other statement."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if not isinstance(node, ast.ImportFrom):
        return []
    base = node.module or ""
    if node.level:
        package = name.split(".") if MODULES[name].name == "__init__.py" else name.split(".")[:-1]
        base = ".".join(package[: len(package) - node.level + 1] + ([base] if base else []))
    # `from package import module` loads the module too.
    return [f"{base}.{alias.name}" if f"{base}.{alias.name}" in MODULES else base for alias in node.names]


def imports(name: str, everywhere: bool) -> list[str]:
    """What a module imports: everywhere, or only what is loaded together with the module itself."""
    found, waiting = [], list(TREES[name].body)
    while waiting:
        node = waiting.pop()
        found += imported(name, node)
        if everywhere or not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            waiting += ast.iter_child_nodes(node)
    return found


def calls() -> list[tuple[str, str, set]]:
    """Every call as (module:line, what is called, names of its keyword arguments)."""
    return [
        (f"{name}:{node.lineno}", ast.unparse(node.func), {word.arg for word in node.keywords})
        for name, tree in TREES.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
    ]


def test_every_part_has_a_layer():
    """A new part of the package must be given its place in the order."""
    assert {part(name) for name in MODULES} <= set(RANK), "add the new part to LAYERS"


def test_imports_go_down():
    """A module imports its own part and lower layers, also inside functions."""
    up = [
        f"{name} imports {other}"
        for name in MODULES
        for other in imports(name, everywhere=True)
        if other.split(".")[0] == "robodistill" and part(other) != part(name) and RANK[part(other)] >= RANK[part(name)]
    ]
    assert not up


def test_no_import_cycles():
    """Modules can be sorted so that each comes after what it loads."""
    loads = {name: {o for o in imports(name, everywhere=False) if o in MODULES and o != name} for name in MODULES}
    assert set(graphlib.TopologicalSorter(loads).static_order()) == set(MODULES)


def test_heavy_libraries_load_late():
    """Optional and slow libraries are imported inside functions, or in modules that are themselves imported so."""
    for name in MODULES:
        loaded = imports(name, everywhere=False)
        heavy = {other.split(".")[0] for other in loaded} & LAZY
        heavy -= {"rclpy"} if name in NODES else set()
        assert not heavy or (name in JITTED and heavy == {"numba"}), f"{name} loads {heavy}"
        assert name in JITTED or not set(loaded) & JITTED, f"{name} loads numba through {set(loaded) & JITTED}"


def test_no_banned_library():
    """No torchvision, no pickle, no GPL reader: not even inside functions."""
    used = {name: {other.split(".")[0] for other in imports(name, everywhere=True)} & BANNED for name in MODULES}
    assert not {name: found for name, found in used.items() if found}


def test_only_the_command_line_prints_and_exits():
    """Outside cli/ nothing prints and nothing ends the process."""
    ends = {"print", "sys.exit", "exit", "quit", "os._exit"}
    assert not [site for site, said, _ in calls() if said in ends and not site.startswith("robodistill.cli")]


def test_nothing_is_unpickled():
    """torch.load and numpy's allow_pickle run code from files; safetensors and plain arrays do not."""
    assert not [site for site, said, _ in calls() if said in ("torch.load", "torch.save")]
    assert not [site for site, _, words in calls() if "allow_pickle" in words]


def test_modules_are_short():
    """No module over 400 lines, the median under 200."""
    lengths = {name: len(path.read_text().splitlines()) for name, path in MODULES.items()}
    assert not {name: count for name, count in lengths.items() if count > 400}
    assert statistics.median(count for count in lengths.values() if count) < 200


def test_modules_say_what_they_are_for():
    """Every module with code in it opens with a docstring."""
    assert not [name for name, tree in TREES.items() if tree.body and not ast.get_docstring(tree)]


def test_annotations_are_real():
    """`from __future__ import annotations` hides annotations from the libraries that read them (tyro, pydantic)."""
    assert not [name for name in MODULES if "__future__" in imports(name, everywhere=True)]


def test_every_folder_is_a_package():
    """A folder without __init__.py would be left out of wheels."""
    folders = {path.parent for path in MODULES.values()}
    assert not [folder for folder in folders if not (folder / "__init__.py").is_file()]


def test_no_broad_silence():
    """No bare `except:` and no handler that swallows every exception without a word."""
    for name, tree in TREES.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.ExceptHandler):
                assert node.type is not None, f"{name}:{node.lineno} bare except"
                silent = len(node.body) == 1 and isinstance(node.body[0], ast.Pass)
                broad = ast.unparse(node.type) in ("Exception", "BaseException")
                assert not (broad and silent), f"{name}:{node.lineno} swallows every exception"


def test_no_machine_paths():
    """Files that ship name no place of the machine they were written on."""
    local = re.compile(r"/(home|root|work)/\w")
    suffixes = {".py", ".toml", ".cfg", ".xml", ".txt", ".md", ".sh", ".yaml", ".cpp", ".hpp", ""}
    tops = ["robodistill", "tests", "launch", "scripts", "config", "resource", ".ci"]
    files = [path for top in tops for path in (ROOT / top).rglob("*")] + list(ROOT.glob("*"))
    for path in files:
        if path.is_file() and path.suffix in suffixes and "__pycache__" not in path.parts:
            assert not local.search(path.read_text(errors="ignore")), path
