"""Growth of `tlkit prepare`: seconds and memory on few and many generated images.

    python -m tests.benchmarks.scale [--images 10000 100000] [--copies .01] [--json F]

The command runs as a whole, twice: on a new folder, and again with nothing changed. Of
the images a share are near copies of others (saved again). Memory is that of all its
processes together, as in `memory`.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path
from typing import Any

from PIL import Image

from tests.benchmarks import common
from tests.benchmarks.memory import KINDS, generate, peak


def copy_some(folder: Path, count: int, share: float) -> int:
    """Save some of the images again beside themselves, and say how many."""
    copies = int(count * share)
    for i in range(copies):
        place = folder / str(i % KINDS) / f"{i}.jpg"
        with Image.open(place) as image:
            image.save(place.with_name(f"{i} again.jpg"), quality=60)
    return copies


def measured(work: Path, count: int, share: float) -> dict[str, Any]:
    """Figures of both calls."""
    generate(work / "images", count)
    copies = copy_some(work / "images", count, share)
    words = ["prepare", str(work / "images"), "--out", str(work / "data")]
    first = peak(words, work / "cache")
    again = peak(words, work / "cache")
    info = json.loads((work / "data" / "dataset.json").read_text())
    found = info["counts"]["near_groups"]
    kept = (work / "cache" / "images").iterdir()
    if found < 0.9 * copies:
        raise RuntimeError(f"Only {found} of {copies} copies were found.")
    return {
        "images": count + copies,
        "seconds": first[2],
        "images/s": (count + copies) / first[2],
        "peak MB": sum(first[:2]) / 1e6,
        "again, seconds": again[2],
        "again, peak MB": sum(again[:2]) / 1e6,
        "near groups found": found,
        "kept on disk, MB": sum(p.stat().st_size for p in kept) / 1e6,
    }


def main() -> None:
    """Measure each number of images and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, nargs="+", default=[10_000, 100_000])
    parser.add_argument("--copies", type=float, default=0.01)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    rows = []
    for count in options.images:
        with tempfile.TemporaryDirectory(prefix="tlkit-bench-") as folder:
            rows.append(measured(Path(folder), count, options.copies))
        common.print_table(rows[-1:], None)
    common.print_table(rows, options.json)


if __name__ == "__main__":
    main()
