"""tlkit doctor: the fitness of this machine."""

from __future__ import annotations

import typer

from tlkit.cli.startup import load_tensorflow
from tlkit.cli.terminal import OUT


def doctor() -> None:
    """Check this machine, and give advice."""
    load_tensorflow()
    from tlkit.runs.doctor import examine

    checks = examine()
    for check in checks:
        mark, style = ("ok ", None) if check.fine else ("FIX", "yellow")
        OUT.print(f"{mark}  {check.name}: {check.found}", style=style)
        if check.advice:
            OUT.print(f"     {check.advice}", style=style)
    if not all(check.fine for check in checks if check.needed):
        raise typer.Exit(1)
