"""What the weights of Nano are worth: frozen, against random ones and from scratch.

    python -m tests.benchmarks.nano [--work FOLDER] [--also FILE ...]

scikit-learn's digits, and cells of the accuracy benchmark, at 96 px. For every seed the
sides are drawn again; a linear probe, the default head, on the frozen network; test
accuracy. MobileNetV2 with ImageNet's weights in the same way says how far it is from
these.

What was computed is kept in FOLDER, and not computed again. Other weights of Nano are
measured in the same way, under the names of their files.
"""

from __future__ import annotations

import itertools
import statistics
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.benchmarks import accuracy, common

SIZE = 96
DIGITS = "digits"
CELLS = (
    (DIGITS, 20), ("hymenoptera", 20), ("bccd", 20), ("coins", 5), ("fruits", 5),
)  # fmt: skip
PROBE = {"phases": "probe"}
# Epochs of two steps are too short to stop early by.
ALL = {"steps": 300, "patience": 0}
SCRATCH = "from scratch"
WAYS = ("nano", "random, frozen", SCRATCH, "ImageNet (MobileNetV2)")
# What is told of each set beside the means: differences on the same draws.
AGAINST = ("random, frozen", SCRATCH)


def options_of(
    way: str, also: Mapping[str, Path], seed: int, work: Path
) -> dict[str, Any]:
    """What `finetune` is told."""
    if way == SCRATCH:
        return {"backbone": "nano", "weights": "none", **ALL}
    if way == WAYS[-1]:
        return {"weights": common.weights(common.MOBILENET), **PROBE}
    if way == "nano":
        weights = "own"
    else:
        weights = str(also[way]) if way in also else random_weights(seed, work)
    return {"backbone": "nano", "weights": weights, **PROBE}


def random_weights(seed: int, work: Path) -> str:
    """A file of Nano's initial weights, so that they can be frozen like others."""
    from tlkit.backbones.graph import build_backbone
    from tlkit.backbones.registry import find

    path = work / f"random_{seed}.weights.h5"
    if not path.exists():
        build_backbone(find("nano"), SIZE, seed=seed).save_weights(path)
    return str(path)


def prepare(name: str, work: Path) -> Any:
    """The data set."""
    from tlkit import Manifest
    from tlkit.dataset.demo_digits import write_digits

    if name != DIGITS:
        return accuracy.prepare(name, work)[0]
    if not (work / DIGITS).is_dir():
        write_digits(work / "photos")
        common.tlkit(
            *("prepare", work / "photos", "--out", work / DIGITS, "--no-near"),
            cache=work / "cache",
        )
    return Manifest.read(work / DIGITS)


def measure(
    name: str, shots: int, seed: int, way: str, also: Mapping[str, Path], work: Path
) -> dict[str, float]:
    """Test accuracy of one way on one cell."""
    from tests.benchmarks.default import train

    manifest = prepare(name, work)
    drawn = accuracy.draw_sides(manifest, shots, seed)
    began = time.perf_counter()
    options = options_of(way, also, seed, work)
    scores = train(drawn, SIZE, seed, work, **options)["scores"]
    right = scores.argmax(axis=1) == drawn.targets(drawn.of("test"))
    seconds = time.perf_counter() - began
    return {"accuracy": float(right.mean()), "seconds": seconds}


def table(found: dict[str, dict[str, float]]) -> list[dict[str, Any]]:
    """A row a cell: means over seeds, and of differences, with their intervals."""
    rows = []
    for name, shots in CELLS:
        seen = {way: _by_seed(found, name, shots, way) for way in WAYS}
        row: dict[str, Any] = {"set": name, "a class": shots}
        row |= {way: _told(list(those.values())) for way, those in seen.items()}
        for other in AGAINST:
            both = sorted(seen["nano"].keys() & seen[other].keys())
            gains = [seen["nano"][seed] - seen[other][seed] for seed in both]
            row[f"nano over {other}"] = _told(gains)
        rows.append(row)
    return rows


def across(
    found: dict[str, dict[str, float]], ways: Sequence[str]
) -> list[dict[str, Any]]:
    """A row a way: the mean of each set, and the mean of these."""
    rows = []
    for way in ways:
        seen = {name: _by_seed(found, name, n, way).values() for name, n in CELLS}
        means = {name: statistics.mean(those) for name, those in seen.items() if those}
        row: dict[str, Any] = {"weights": way} | dict.fromkeys(seen, "") | means
        rows.append(row | {"all": statistics.mean(means.values()) if means else ""})
    return rows


def _by_seed(
    found: dict[str, dict[str, float]], name: str, shots: int, way: str
) -> dict[str, float]:
    start, end = f"{name}/{shots}/", f"/{way}"
    return {
        key.removeprefix(start).removesuffix(end): one["accuracy"]
        for key, one in found.items()
        if key.startswith(start) and key.endswith(end)
    }


def _told(values: list[float]) -> str:
    return common.mean_of(values) if values else ""


def main() -> None:
    """Compute what is missing, and print the tables."""
    parser = common.going_on(__doc__, "ways")
    parser.add_argument(
        "--also", type=Path, nargs="+", default=[], metavar="FILE",
        help="other weights of Nano",
    )  # fmt: skip
    options = parser.parse_args()
    work = common.kept_in(options.work)
    also = {path.name.removesuffix(".weights.h5"): path for path in options.also}
    if len({*WAYS, *also}) < len(WAYS) + len(options.also):
        parser.error("--also: every file needs a name of its own")
    ways = [*WAYS, *also]
    asked = [way for way in ways if options.only in way]
    wanted = itertools.product(range(options.seeds), CELLS, asked)
    found = common.complete(
        work / "nano.json",
        ((*cell, seed, way) for seed, cell, way in wanted),
        lambda name, shots, seed, way: measure(name, shots, seed, way, also, work),
    )
    common.print_table(table(found), options.json)
    print()
    common.print_table(across(found, ways), None)


if __name__ == "__main__":
    main()
