"""Finding a model's folder: a local one, the hub's cache, or the hub itself, in that order.

Only safetensors are taken, never pickled weights, and never code from a model's repository.
"""

import logging
from pathlib import Path

from robodistill.capture.read import read_json
from robodistill.errors import BadInput, MissingPart

log = logging.getLogger(__name__)

FILES = ["config.json", "model*.safetensors", "model.safetensors.index.json", "*processor*config.json"]
FILES += ["token*.json", "special_tokens_map.json", "added_tokens.json", "vocab.json", "merges.txt", "*.model"]
SECONDS = 5.0
"""How long the hub may take to answer, before it counts as not there."""
INSTALL = 'pip install -c constraints.txt "transformers>=5,<6"'


def find_model(teacher: str, source: str) -> Path:
    """Folder that holds config.json and whole safetensors of a model; fetched from the hub where it must be.

    Args:
        teacher: Name of the teacher, for messages.
        source: Existing folder, or hub name `OWNER/NAME` with or without `@REVISION`.

    Raises:
        BadInput: No folder and no hub name, or a folder without a model in it.
        MissingPart: Not in the cache, and the hub does not give it.
    """
    folder = Path(source).expanduser()
    if folder.is_dir():
        return _checked(folder, f"{teacher}:{source}")
    name, _, revision = source.partition("@")
    if source.startswith((".", "/", "~")) or name.count("/") > 1:
        raise BadInput(f"{teacher}:{source}: there is no such folder; give a folder or a hub name OWNER/NAME")
    found = cached_model(source)
    if found is None:
        _download(teacher, source, name, revision)
        found = cached_model(source)
    if found is None:
        raise MissingPart(
            f"{teacher}:{source}: the hub has no safetensors of it, and pickled weights are never loaded; "
            f"take another model, or a revision that has them ({name}@REVISION, such as refs/pr/1)"
        )
    return found


def cached_model(source: str) -> Path | None:
    """Folder in the hub's cache that holds a whole model; None where there is none. Touches no network."""
    try:
        from huggingface_hub import try_to_load_from_cache
        from huggingface_hub.errors import HFValidationError
    except ImportError:
        raise MissingPart(f"models of the hub need transformers: {INSTALL}") from None
    name, _, revision = source.partition("@")
    try:
        config = try_to_load_from_cache(name, "config.json", revision=revision or None)
    except HFValidationError:
        raise BadInput(f"{source!r} is neither an existing folder nor a hub name OWNER/NAME") from None
    if not isinstance(config, str):  # None, or a mark that the hub has no such file
        return None
    folder = Path(config).parent
    return folder if not missing_files(folder) else None


def missing_files(folder: Path) -> str:
    """What a folder lacks to be a model that can be loaded; empty where nothing."""
    if not (folder / "config.json").is_file():
        return "config.json"
    index = folder / "model.safetensors.index.json"
    if index.is_file():
        shards = sorted(set(read_json(index).get("weight_map", {}).values())) or ["model.safetensors"]
    else:
        shards = ["model.safetensors"]
    return ", ".join(shard for shard in shards if not (folder / shard).is_file())


def _checked(folder: Path, spec: str) -> Path:
    lacking = missing_files(folder)
    if lacking:
        there = ", ".join(sorted(path.name for path in folder.iterdir())[:8]) or "nothing"
        raise BadInput(f"{spec}: the folder lacks {lacking} (it holds {there}); pickled weights are never loaded")
    return folder.resolve()


def _download(teacher: str, source: str, name: str, revision: str) -> None:
    """Fetch a model into the hub's cache."""
    from huggingface_hub import HfApi, snapshot_download
    from huggingface_hub.errors import GatedRepoError, RepositoryNotFoundError, RevisionNotFoundError

    log.info("%s: fetching %s from the hub", teacher, source)
    how = f"where there is a network, run `hf download {name} --local-dir FOLDER`, and name {teacher}:FOLDER"
    try:
        # Asked first because downloading itself waits without end for a network that swallows packets.
        HfApi().model_info(name, revision=revision or None, timeout=SECONDS)
        # Top level only: some repositories hold the same weights again for other programs in folders.
        snapshot_download(name, revision=revision or None, allow_patterns=FILES, ignore_patterns=["*/*"])
        return
    except GatedRepoError as error:
        why, cause = f"is gated: accept its licence at https://huggingface.co/{name} and run `hf auth login`", error
    except (RepositoryNotFoundError, RevisionNotFoundError) as error:
        why, cause = "is not on the hub (or not for you)", error
    # Whatever stops a download (no network, a proxy, a full disk) is one answer: the weights are not here.
    except Exception as error:
        said = (str(error).strip() or type(error).__name__).splitlines()[0]
        why, cause = f"is not in the cache and cannot be fetched ({said[:120]})", error
    raise MissingPart(f"the model {source} of {teacher} {why}; {how}") from cause
