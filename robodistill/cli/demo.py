"""`robodistill demo`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import tyro

from robodistill.cli.console import Console, Verb


@dataclass
class Demo(Verb):
    """Run the chain on the sample that ships with the package: a field, pictures, report.html. No GPU, no network."""

    out: Annotated[Path, tyro.conf.arg(aliases=["-o"])] = Path("out/demo")
    """Folder to write."""
    overwrite: bool = False
    """Replace the folder if it exists."""

    def run(self, console: Console) -> dict[str, Any]:
        """See `robodistill.pipeline.demo`."""
        from robodistill.pipeline.demo import run_demo

        made = run_demo(self.out, overwrite=self.overwrite, progress=console.progress)
        return {
            "report": str(made.report),
            "field": str(made.field),
            "gaussians": made.build.gaussians,
            "psnr": round(made.build.psnr, 3),
            "seconds": round(made.build.seconds, 2),
        }

    def lines(self, result: dict[str, Any]) -> list[str]:
        """What was made and where."""
        head = f"{result['gaussians']:,} Gaussians in {result['seconds']:.1f} s"
        return [
            f"{head}, PSNR {result['psnr']:.2f} dB on views kept out of the fit",
            f"report: {result['report']}",
            f"to look around in it: robodistill view {result['field']}",
            f"and in what two arms do: robodistill view {Path(result['report']).with_name('replay')}",
        ]
