"""`robodistill doctor`."""

from dataclasses import asdict, dataclass
from typing import Any

from robodistill.cli.console import Console, Verb


@dataclass
class Doctor(Verb):
    """Say what is installed, what is missing, what each missing part would add and how to get it."""

    def run(self, console: Console) -> dict[str, Any]:
        """See `robodistill.doctor`."""
        from robodistill.doctor import run_checks

        return {"checks": [asdict(check) for check in run_checks()]}

    def lines(self, result: dict[str, Any]) -> list[str]:
        """A table."""
        marks = {"ok": "ok     ", "missing": "missing", "broken": "BROKEN "}
        lines = []
        for check in result["checks"]:
            lines.append(f"{marks[check['state']]}  {check['name']}: {check['detail']}")
            if check["state"] != "ok":
                lines += [f"           adds: {check['adds']}", f"           get it: {check['how']}"]
        return lines
