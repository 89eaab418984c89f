"""tlkit cache: what is kept on disk for the next run."""

from __future__ import annotations

import time

import typer

from tlkit.cli.terminal import OUT, print_line, print_warning, table

cache = typer.Typer(
    help="List or clear the cache.\n\n"
    "It holds features of frozen layers, and what prepare has measured of each image.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@cache.command("list")
def list_() -> None:
    """List what the cache holds, the last used first."""
    from tlkit.cache_root import cache_root, cap_bytes, fault
    from tlkit.dataset.inspection.cache import image_caches
    from tlkit.features.cache import contents

    root = cache_root()
    if reason := fault(root):
        print_warning(f"warning: {reason}: nothing new is kept")
    features, images = contents(root), image_caches(root)
    shown = table("backbone", "up to", "engine", ">px", ">vectors", ">MB", ">last used")
    for one in features:
        about = one.about
        shown.add_row(
            str(about.get("backbone", "images only" if about else "?")),
            *(str(about.get(key, "")) for key in ("layer", "engine", "size")),
            f"{one.vectors:,}",
            *_size_and_time(one.bytes, one.used),
        )
    for kept in images:
        shown.add_row(
            "image info", "", "", "", "", *_size_and_time(kept.bytes, kept.used)
        )
    if shown.rows:
        OUT.print(shown)
    total = sum(one.bytes for one in features) + sum(kept.bytes for kept in images)
    print_line(
        f"{total / 1e6:.1f} MB in {root}, at most {cap_bytes() / 1e6:,g} "
        "(TLKIT_CACHE and TLKIT_CACHE_GB change place and size)"
    )


@cache.command()
def clear() -> None:
    """Remove everything; the next run computes it again."""
    from tlkit.cache_root import cache_root
    from tlkit.features.cache import clear as remove

    print_line(f"Removed {remove(cache_root()) / 1e6:.1f} MB")


def _size_and_time(size: int, used: float) -> tuple[str, str]:
    day = time.strftime("%Y-%m-%d %H:%M", time.localtime(used))
    return f"{size / 1e6:.1f}", day
