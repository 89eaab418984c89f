"""Peak memory of `tlkit finetune` on few and on many generated images.

    python -m tests.benchmarks.memory [--images 2000 20000] [--json FILE]

All processes of the command together, sampled: memory that is theirs ("own": anonymous
and shared between them), and pages of files that are mapped ("mapped": the features
among them, which the system takes back when it needs room).
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from tests.benchmarks import common

SIDE = 128
KINDS = 4


def draw(place: Path) -> None:
    """One image, unlike all others: colored noise, coarser with its class."""
    kind, number = int(place.parent.name), int(place.stem)
    rng = np.random.default_rng([kind, number])
    coarse = rng.integers(0, 256, (4 + 4 * kind, 4 + 4 * kind, 3), dtype=np.uint8)
    Image.fromarray(coarse).resize((SIDE, SIDE)).save(place, quality=90)


def generate(folder: Path, count: int) -> None:
    """So many images in class folders."""
    for kind in range(KINDS):
        (folder / str(kind)).mkdir(parents=True)
    places = [folder / str(i % KINDS) / f"{i}.jpg" for i in range(count)]
    with ProcessPoolExecutor() as pool:
        for _ in pool.map(draw, places, chunksize=100):
            pass


def processes(root: int) -> Iterator[int]:
    """A process and all below it."""
    yield root
    for task in Path(f"/proc/{root}/task").glob("*/children"):
        for child in task.read_text().split():
            yield from processes(int(child))


def memory(process: int) -> tuple[int, int]:
    """Own and mapped bytes of a process; what several share is divided by them."""
    values = {}
    for line in Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()[1:]:
        name, _, rest = line.partition(":")
        values[name] = 1024 * int(rest.split()[0])
    return values["Pss_Anon"] + values["Pss_Shmem"], values["Pss_File"]


def peak(words: list[str], cache: Path) -> tuple[int, int, float]:
    """Largest own and mapped memory of a command, and its seconds."""
    own = mapped = 0
    began = time.perf_counter()
    with subprocess.Popen(
        [sys.executable, "-m", "tlkit", *words],
        stdout=sys.stderr,
        env={**os.environ, "TLKIT_CACHE": str(cache)},
    ) as process:
        while process.poll() is None:
            sums = [0, 0]
            try:
                for one in processes(process.pid):
                    for i, value in enumerate(memory(one)):
                        sums[i] += value
            except (OSError, KeyError):
                continue  # one of them has just ended
            own, mapped = max(own, sums[0]), max(mapped, sums[1])
            time.sleep(0.1)
    if process.returncode:
        raise RuntimeError(f"tlkit {words[0]} failed.")
    return own, mapped, time.perf_counter() - began


def main() -> None:
    """Measure each number of images and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, nargs="+", default=[2000, 20000])
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    rows: list[dict[str, Any]] = []
    for count in options.images:
        with tempfile.TemporaryDirectory(prefix="tlkit-bench-") as folder:
            work = Path(folder)
            generate(work / "images", count)
            data, cache = work / "data", work / "cache"
            common.tlkit(
                "prepare", work / "images", "--out", data, "--no-near", cache=cache
            )
            own, mapped, seconds = peak(
                [
                    *("finetune", str(data), "--out", str(work / "run")),
                    *("--backbone", "mobilenet_v2", "--size", "96", "--epochs", "3"),
                    *("--weights", common.weights(common.MOBILENET)),
                ],
                cache,
            )
            held = sum(path.stat().st_size for path in cache.rglob("*.data"))
        rows.append(
            {
                "images": count,
                "own, peak MB": own / 1e6,
                "more than with the fewest": own / 1e6
                - (rows[0]["own, peak MB"] if rows else own / 1e6),
                "mapped, peak MB": mapped / 1e6,
                "features, MB": held / 1e6,
                "seconds": seconds,
            }
        )
        common.print_table(rows[-1:], None)
    common.print_table(rows, options.json)


if __name__ == "__main__":
    main()
