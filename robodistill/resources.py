"""Finding files that are shipped beside the code (assets/, config/), however the package was installed.

A checkout or an editable install has them beside the package; pip puts them in PREFIX/share/robodistill, colcon in the
same place below the prefix of its workspace, which ROS 2 lists in AMENT_PREFIX_PATH.
"""

import os
import sys
from pathlib import Path

from robodistill.errors import BadInput

PACKAGE = Path(__file__).resolve().parent


class MissingResource(BadInput):
    """A file that belongs to the installation is in none of the places where it could be."""


def resource_roots() -> list[Path]:
    """Folders that may hold assets/ and config/, best first."""
    checkout = PACKAGE.parent
    roots = [checkout] if (checkout / "package.xml").is_file() else []
    # The prefix the package itself lies under comes before the interpreter's: they differ for pip's --user, --target
    # and --prefix.
    prefixes = [checkout]
    prefixes += [folder.parent for folder in PACKAGE.parents if folder.name in ("lib", "lib64", "local")]
    prefixes += [Path(sys.prefix)]
    prefixes += [Path(prefix) for prefix in os.environ.get("AMENT_PREFIX_PATH", "").split(os.pathsep) if prefix]
    roots += [prefix / "share" / "robodistill" for prefix in prefixes]
    return list(dict.fromkeys(roots))


def find_resource(name: str) -> Path:
    """Find a shipped file or folder.

    Args:
        name: Path as it stands in the repository, such as `assets/demo` or `config/robodistill.yaml`.

    Raises:
        MissingResource: It is nowhere; the message lists every place that was looked at.
    """
    roots = resource_roots()
    for root in roots:
        if (root / name).exists():
            return root / name
    places = ", ".join(str(root) for root in roots)
    raise MissingResource(f"{name} is not part of this installation; looked in {places}. Install robodistill again.")
