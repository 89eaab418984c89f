"""tlkit cache: what the frozen layers gave, kept for the next run."""

from __future__ import annotations

import time

import typer
from rich.table import Table

from tlkit.cli.terminal import ERR, OUT

cache = typer.Typer(
    help="List or clear what is kept for the next time: what the frozen layers gave, "
    "and what prepare knows of images.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@cache.command("ls")
def list_() -> None:
    """List what is kept, the last used first."""
    from tlkit.cache_root import cache_root, cap_bytes, fault
    from tlkit.dataset.inspection.cache import image_caches
    from tlkit.features.cache import contents

    root = cache_root()
    if wrong := fault(root):
        ERR.print(f"warning: {wrong}: nothing new is kept", style="yellow")
    found = contents(root)
    table = Table(box=None, header_style="bold")
    for column in ("backbone", "up to", "engine"):
        table.add_column(column)
    for column in ("px", "rows", "MB", "last used"):
        table.add_column(column, justify="right")
    for content in found:
        about = content.about
        table.add_row(
            str(about.get("backbone", "images only" if about else "?")),
            str(about.get("end", "")),
            str(about.get("engine", "")),
            str(about.get("size", "")),
            f"{content.rows:,}",
            f"{content.bytes / 1e6:.1f}",
            time.strftime("%Y-%m-%d %H:%M", time.localtime(content.used)),
        )
    kept = image_caches(root)
    for image_cache in kept:
        table.add_row(
            "facts of images",
            *("", "", "", ""),
            f"{image_cache.bytes / 1e6:.1f}",
            time.strftime("%Y-%m-%d %H:%M", time.localtime(image_cache.used)),
        )
    if found or kept:
        OUT.print(table)
    total = sum(c.bytes for c in found) + sum(image_cache.bytes for image_cache in kept)
    ERR.print(
        f"{total / 1e6:.1f} MB in {root}, at most {cap_bytes() / 1e6:,g} "
        "(TLKIT_CACHE and TLKIT_CACHE_GB change place and size)",
        markup=False,
        highlight=False,
    )


@cache.command()
def clear() -> None:
    """Remove all of it; the next run computes it again."""
    from tlkit.cache_root import cache_root
    from tlkit.features.cache import clear as remove

    removed = remove(cache_root())
    ERR.print(f"Removed {removed / 1e6:.1f} MB", highlight=False)
