"""The default of tlkit against what people do by hand, on few images.

    python -m tests.benchmarks.accuracy [--work FOLDER] [--seeds 5] [--only bccd]

Real sets from the shared data (TLKIT_SHARED, by default ../shared): hymenoptera, and
crops of blood cells, coins, and fruits and nuts; MobileNetV2. For every seed the sides
are drawn again, whole photos together; N images a class are trained on, about N / 5
more are the validation side that tlkit chooses by, and the rest is the test, that
nothing has seen. The rivals (rivals.py) choose nothing by the validation side; one of
them gets it for its training.

What was computed is kept in FOLDER, and not computed again; `--table` prints.
"""

from __future__ import annotations

import dataclasses
import functools
import json
import statistics
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from tests.benchmarks import common

SETS: dict[str, tuple[str, tuple[str, ...], int, tuple[int, ...]]] = {
    "hymenoptera": ("hymenoptera", (), 96, (10, 80)),
    "bccd": ("bccd", ("--label-by", "shapes"), 96, (5, 20, 50)),
    "coins": ("labelme/coins_v5", ("--label-by", "shapes"), 96, (5,)),
    "fruits": ("labelme/fruits_nuts_v3", ("--label-by", "shapes"), 96, (5,)),
}
WAYS = ("tlkit", "a notebook", "b logistic", "b with val", "c fine_tune", "d BiT")
VIEWS = 6
# Enough for a score, and soon read: of a class at most so many are drawn at all.
MOST_A_CLASS = 160


def cells(sets: list[str], seeds: int) -> Iterator[tuple[str, int, int]]:
    """Seed by seed, so that what there is can be averaged at any time."""
    for seed in range(seeds):
        for name in sets:
            for shots in SETS[name][3]:
                yield name, shots, seed


def draw_sides(manifest: Any, shots: int, seed: int) -> Any:
    """The same images with sides of N a class, N / 5, and the rest, in whole groups.

    Where the set comes with its own validation side, that is the test.
    """
    rng = np.random.default_rng([seed, shots])
    given = manifest.info["options"].get("val") is None and manifest.of("val")
    pool = [e for e in manifest.examples if not given or e.split == "train"]
    sides = {e.id: "test" for e in manifest.examples}
    wanted = {"val": max(1, round(shots / 5)), "train": shots}
    counts: dict[tuple[str, str], int] = {}
    groups: dict[str, list[Any]] = {}
    for example in pool:
        groups.setdefault(example.group, []).append(example)
    names = sorted(groups)
    if not given:
        # A third of the photos is for the test whatever the rest is used for.
        names = list(rng.permutation(names))[len(names) // 3 :]
    for group in rng.permutation(names):
        for side in ("val", "train"):
            labels = {e.label for e in groups[group]}
            if any(counts.get((side, label), 0) < wanted[side] for label in labels):
                for e in groups[group]:
                    if counts.get((side, e.label), 0) < wanted[side]:
                        sides[e.id] = side
                        counts[side, e.label] = counts.get((side, e.label), 0) + 1
                    else:
                        sides[e.id] = ""  # its photo is on this side: no use
                break
    examples = tuple(
        dataclasses.replace(e, split=sides[e.id]) for e in manifest.examples
    )
    return dataclasses.replace(manifest, examples=tuple(e for e in examples if e.split))


def pixels_of(manifest: Any, size: int, place: Path) -> dict[str, np.ndarray]:
    """uint8 [V, S, S, 3] of every image by id, kept in a file."""
    from tlkit.inputs.augment import load_policy
    from tlkit.inputs.views import ViewMaker, ViewRequest

    if not place.is_file():
        maker = ViewMaker(manifest.source, size, "squash", load_policy("light"), 0)
        asked = [ViewRequest(e, tuple(range(VIEWS))) for e in manifest.examples]
        made = maker.stream(asked, most=VIEWS, workers=None)
        np.save(place, np.stack([views.copy() for views, _ in made]))
    stored = np.load(place, mmap_mode="r")
    return {e.id: stored[i] for i, e in enumerate(manifest.examples)}


def prepare(name: str, work: Path) -> tuple[Any, int]:
    """The data set, and the side of its images."""
    from tlkit import Manifest

    folder, options, size, _ = SETS[name]
    place = work / name
    if not place.is_dir():
        source = common.SHARED / "data" / folder
        common.tlkit(
            "prepare", source, *options, "--out", place, "--no-near",
            cache=work / "cache",
        )  # fmt: skip
    manifest = Manifest.read(place)
    rng = np.random.default_rng(0)
    kept = set()
    for label in manifest.labels:
        ids = [e.id for e in manifest.examples if e.label == label]
        kept |= set(rng.permutation(ids)[:MOST_A_CLASS].tolist())
    examples = tuple(e for e in manifest.examples if e.id in kept)
    return dataclasses.replace(manifest, examples=examples), size


def tlkit_default(manifest: Any, size: int, seed: int, work: Path) -> dict[str, Any]:
    """What `tlkit finetune` does without options, scored on the test side."""
    from tests.benchmarks.default import train

    return train(manifest, size, seed, work, weights=common.weights(common.MOBILENET))


def measure(
    name: str, shots: int, seed: int, work: Path, known: dict[str, Any], without: str
) -> dict[str, Any]:
    """All methods on one cell: name of the method to its accuracy and seconds.

    What is known of the cell is not computed again.
    """
    from tests.benchmarks import rivals

    manifest, size = prepare(name, work)
    pixels = pixels_of(manifest, size, work / f"{name}.npy")
    drawn = draw_sides(manifest, shots, seed)
    side = np.array([e.split for e in drawn.examples])
    weights = common.weights(common.MOBILENET)
    task = rivals.task_of(drawn, pixels, "mobilenetv2", weights, seed)
    truth = task.classes[task.test]
    maps = functools.cache(lambda: frozen_maps(task))
    more = np.flatnonzero((side == "train") | (side == "val"))
    ways: dict[str, Callable[[], np.ndarray]] = {
        "a notebook": lambda: rivals.notebook(task, maps()),
        "b logistic": lambda: rivals.logistic(task, maps()),
        "b with val": lambda: rivals.logistic(
            dataclasses.replace(task, train=more), maps()
        ),
        "c fine_tune": lambda: rivals.fine_tune(task, maps()),
        "d BiT": lambda: rivals.bit(task),
    }
    ways.pop(without, None)
    found = {"test": len(truth), "train": len(task.train), **known}
    if "tlkit" not in found:
        began = time.perf_counter()
        default = tlkit_default(drawn, size, seed, work)
        scores = default.pop("scores")
        found["tlkit"] = {
            "accuracy": float((scores.argmax(axis=1) == truth).mean()),
            "seconds": time.perf_counter() - began,
            **default,
        }
    missing = {way: answer for way, answer in ways.items() if way not in found}
    if missing:
        # Reading all images is no part of any one method's time.
        maps()
    for way, answer in missing.items():
        began = time.perf_counter()
        right = float((answer().argmax(axis=1) == truth).mean())
        found[way] = {"accuracy": right, "seconds": time.perf_counter() - began}
    return found


def frozen_maps(task: Any) -> np.ndarray:
    """What the frozen network says of every view: float32 [N, V, H, W, C]."""
    from tlkit.model.frozen_split import split_at_freeze

    prefix = split_at_freeze(task.classifier("gap", None)).prefix
    if prefix is None:
        raise RuntimeError("nothing is frozen")
    flat = task.pixels.reshape(-1, *task.pixels.shape[2:])
    maps = [
        np.asarray(prefix(flat[i : i + 64], training=False))
        for i in range(0, len(flat), 64)
    ]
    rows = np.concatenate(maps)
    return rows.reshape(*task.pixels.shape[:2], *rows.shape[1:])


def table(found: dict[str, Any]) -> list[dict[str, Any]]:
    """A row a set and number of shots: mean over seeds with its 95 % interval."""
    grouped: dict[tuple[str, int], list[dict[str, Any]]] = {}
    for key, cell in found.items():
        name, number, _ = key.split("/")
        grouped.setdefault((name, int(number)), []).append(cell)
    rows = []
    means: dict[str, list[float]] = {}
    for (name, shots), those in grouped.items():
        row: dict[str, Any] = {"set": name, "a class": shots, "seeds": len(those)}
        for way in WAYS:
            scores = [cell[way]["accuracy"] for cell in those if way in cell]
            if not scores:
                row[way] = ""
                continue
            means.setdefault(way, []).append(statistics.mean(scores))
            row[way] = common.mean_of(scores)
        seconds = [cell["tlkit"]["seconds"] for cell in those]
        row["tlkit, s"] = f"{statistics.median(seconds):.0f}"
        row["kept"] = " ".join(cell["tlkit"]["selected"] for cell in those)
        rows.append(row)
    last: dict[str, Any] = {"set": "mean", "a class": "", "seeds": ""}
    for way in WAYS:
        there = len(means.get(way, ())) == len(rows)
        last[way] = f"{statistics.mean(means[way]):.3f}" if there else ""
    rows.append({**last, "tlkit, s": "", "kept": ""})
    return rows


def main() -> None:
    """Compute the cells that are missing, and print the table."""
    parser = common.going_on(__doc__, "sets")
    parser.add_argument("--without", default="", help="a way to leave for later")
    parser.add_argument("--table", action="store_true", help="print what there is")
    options = parser.parse_args()
    work = common.kept_in(options.work)
    store = work / "accuracy.json"
    found = json.loads(store.read_text()) if store.is_file() else {}
    sets = [name for name in SETS if options.only in name]
    for name, shots, seed in () if options.table else cells(sets, options.seeds):
        key = f"{name}/{shots}/{seed}"
        before = found.get(key, {})
        found[key] = measure(name, shots, seed, work, before, options.without)
        if found[key] != before:
            store.write_text(json.dumps(found, indent=1))
            print(key, json.dumps(found[key]), flush=True)
    common.print_table(table(found), options.json)


if __name__ == "__main__":
    main()
