"""tlkit doctor: is this machine fit, and what to do where it is not."""

from __future__ import annotations

import typer

from tlkit.cli.terminal import OUT, load_tensorflow


def doctor() -> None:
    """Check versions, devices, caches and weights; say what to do."""
    load_tensorflow()
    from tlkit.runs.doctor import examine

    checks = examine()
    for check in checks:
        mark, style = ("ok  ", None) if check.fine else ("MEND", "yellow")
        OUT.print(f"{mark}  {check.name}: {check.found}", style=style, markup=False)
        if check.advice:
            OUT.print(f"      {check.advice}", style=style, markup=False)
    if not all(check.fine for check in checks if check.needed):
        raise typer.Exit(1)
