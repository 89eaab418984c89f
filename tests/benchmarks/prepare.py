"""Speed of prepare and of its search, against the least work possible.

    python -m tests.benchmarks.prepare [--work FOLDER] [--json FILE] [--rounds 5]
        [--sizes 10000 100000 1000000]

Reading: images a second of what prepare does with each (decode, digests, thumbnails,
hash) beside Pillow's decoding alone in as many processes, taken in turns. Images:
hymenoptera of the shared data (TLKIT_SHARED, by default ../shared) and drawn ones of
1600 x 1200. Searching: see `search`. Prints Markdown tables, writes JSON.
"""

from __future__ import annotations

import argparse
import functools
import io
import itertools
import json
import os
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

import tlkit
from tests.benchmarks import search
from tlkit.dataset.inspection.image_info import inspect_image
from tlkit.workers import cpu_count, in_order

ROOT = Path(__file__).resolve().parents[2]
SHARED = Path(os.environ.get("TLKIT_SHARED", ROOT.parent / "shared"))
# Read before the clock starts, so that every process has started.
WARM_UP = 16 * cpu_count()
READ = {"hymenoptera": 1200, "1600 x 1200": 240}
DRAWN = 12


def main() -> None:
    """Measure, print the tables and write the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, default=None)
    parser.add_argument("--json", type=Path, default=None)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--sizes", type=int, nargs="*", default=[10**4, 10**5])
    options = parser.parse_args()
    work = options.work or Path(tempfile.mkdtemp(prefix="tlkit-bench-"))
    photos = SHARED / "data" / "hymenoptera"
    folders = {"hymenoptera": photos, "1600 x 1200": draw(work / "drawn")}
    reading = {n: read(f, READ[n], options.rounds) for n, f in folders.items()}
    print_reading(reading)
    whole = prepare(photos, work / "data", options.rounds)
    print(f"\ntlkit.prepare, hymenoptera: {whole['new']:.1f} s,", end=" ")
    print(f"again {whole['again']:.1f} s\n")
    searching = [search.measured(size) for size in options.sizes]
    search.print_table(searching)
    place = options.json or work / "prepare.json"
    figures = {
        "reading": reading,
        "prepare": whole,
        "searching": searching,
    }
    place.write_text(json.dumps(figures, indent=2) + "\n")


def draw(folder: Path) -> Path:
    """Images of the size telephones share them in: waves under noise, JPEG."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:1200, :1600] / 1200
    for number in range(DRAWN):
        waves = rng.uniform(1, 6, (3, 2))
        planes = [np.sin(a * x + b * y) * 90 + 128 for a, b in waves]
        pixels = np.stack(planes, axis=-1) + rng.normal(0, 8, (1200, 1600, 3))
        image = Image.fromarray(pixels.clip(0, 255).astype(np.uint8))
        image.save(folder / f"{number}.jpg", quality=88)
    return folder


def decode_alone(root: Path, path: str) -> tuple[int, int]:
    """The least that reading an image takes."""
    with Image.open(io.BytesIO((root / path).read_bytes())) as image:
        return image.convert("RGB").size


def costed(function: Callable[[Path, str], Any], root: Path, path: str) -> Any:
    """A result, and the processor's time, which other work on the machine spares."""
    began = time.thread_time()
    result = function(root, path)
    return result, time.thread_time() - began


def timed(
    function: Callable[[Path, str], Any], root: Path, paths: Sequence[str]
) -> tuple[float, float, list[Any]]:
    """Seconds for all of the paths, mean processor seconds for one, and the results."""
    results = in_order(
        functools.partial(costed, function, root), [*paths[:WARM_UP], *paths]
    )
    for _ in range(WARM_UP):
        next(results)
    began = time.perf_counter()
    rest, costs = zip(*results, strict=True)
    return time.perf_counter() - began, statistics.mean(costs), list(rest)


def read(root: Path, number: int, rounds: int) -> dict[str, Any]:
    """Read images both ways in turns."""
    paths = sorted(p.relative_to(root).as_posix() for p in root.rglob("*.jpg"))
    several = list(itertools.islice(itertools.cycle(paths), number))
    turns = []
    for _ in range(rounds):
        alone, alone_cost, _ = timed(decode_alone, root, several)
        seconds, cost, _ = timed(inspect_image, root, several)
        turn = {
            "decode": number / alone,
            "inspect_image": number / seconds,
            "share": alone / seconds,
            "decode_ms": alone_cost * 1e3,
            "examine_ms": cost * 1e3,
        }
        turns.append(turn)
    medians = {key: statistics.median(t[key] for t in turns) for key in turns[0]}
    return {**medians, "processes": cpu_count(), "turns": turns}


def prepare(source: Path, out: Path, rounds: int) -> dict[str, Any]:
    """The whole of it, for orientation: of new images, and with nothing changed."""
    seconds: dict[str, list[float]] = {"new": [], "again": []}
    for turn in range(max(1, rounds // 2)):
        os.environ["TLKIT_CACHE"] = str(out.with_name(f"cache {turn}"))
        for turns in seconds.values():
            began = time.perf_counter()
            tlkit.prepare(source, out)
            turns.append(time.perf_counter() - began)
        shutil.rmtree(out)
    return {name: statistics.median(turns) for name, turns in seconds.items()}


def print_reading(reading: Mapping[str, Mapping[str, Any]]) -> None:
    """A Markdown table of rates, and of processor time for one image."""
    print("| images | decode alone | inspect_image | share | processor ms |")
    print("|---|---|---|---|---|")
    for name, row in reading.items():
        rates = " | ".join(f"{row[way]:.0f}/s" for way in ("decode", "inspect_image"))
        costs = [f"{row[way]:.1f}" for way in ("decode_ms", "examine_ms")]
        print(f"| {name} | {rates} | {row['share']:.2f} | {' : '.join(costs)} |")


if __name__ == "__main__":
    main()
