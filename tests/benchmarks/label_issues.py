"""Plant wrong labels and see which are found: precision, recall, and what it is for.

Hymenoptera (ants or bees) with some labels of its training split swapped, by moving
images in a copy of the folder, and as many of the validation side for the table about
tests. Every step is the command of tlkit itself.
"""

from __future__ import annotations

import argparse
import csv
import shutil
import statistics
from pathlib import Path
from typing import Any

import numpy as np

import tlkit as api
from tests.benchmarks import common
from tlkit.experiments.label_issues import groups_of
from tlkit.features.embedding import embedding_config, features_of
from tlkit.progress import Silent
from tlkit.training.probe import fit_probe

CLASSES = ("ants", "bees")


def main() -> None:
    """Plant, look, count, and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, default=None)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3, 4])
    parser.add_argument("--shares", type=float, nargs="+", default=[0.0, 0.05, 0.1])
    parser.add_argument("--json", type=Path, default=None)
    options = parser.parse_args()
    work = common.kept_in(options.work)
    found = {
        share: [_one(work, share, seed) for seed in options.seeds]
        for share in options.shares
    }
    common.print_table([_row(s, runs) for s, runs in found.items()], options.json)
    print()
    common.print_table([_test(s, runs) for s, runs in found.items() if s], None)


def _one(work: Path, share: float, seed: int) -> dict[str, Any]:
    """Plant in a copy, list the label issues, and score a probe on validation."""
    place = work / f"planted-{share}-{seed}"
    shutil.rmtree(place, ignore_errors=True)
    shutil.copytree(common.ANTS, place / "photos")
    planted = set(_plant(place / "photos", share, seed))
    weights = ("--weights", common.weights(common.MOBILENET))
    cache = work / "cache"
    common.tlkit("prepare", place / "photos", "--out", place / "data", cache=cache)
    seconds = common.tlkit(
        *("label-issues", place / "data"),
        *("--out", place / "label_issues", *weights),
        cache=cache,
    )
    with (place / "label_issues" / "label_issues.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    listed = {row["path"] for row in rows if row["split"] == "train"}
    of_train = {path for path in planted if path.startswith("train/")}
    return {
        "listed": len(listed),
        "planted": len(of_train),
        "hits": len(listed & of_train),
        "ten": sum(row["path"] in planted for row in rows[:10]),
        "seconds": seconds,
        **_scores(place, planted, {row["path"] for row in rows}),
    }


def _plant(photos: Path, share: float, seed: int) -> list[str]:
    rng = np.random.default_rng(seed)
    moved = []
    for split in ("train", "val"):
        files = sorted((photos / split).glob("*/*.jpg"))
        for i in rng.choice(len(files), round(share * len(files)), replace=False):
            other = CLASSES[1 - CLASSES.index(files[i].parent.name)]
            place = photos / split / other / files[i].name
            files[i].rename(place)
            moved.append(str(place.relative_to(photos)))
    return moved


def _scores(place: Path, planted: set[str], listed: set[str]) -> dict[str, float]:
    """Return accuracy on the validation split, by which of its labels are believed."""
    manifest = api.Manifest.read(place / "data")
    examples = manifest.examples
    weights = common.weights(common.MOBILENET)
    features = features_of(
        embedding_config(weights=weights), manifest.source, examples, "", Silent()
    )
    given = manifest.targets(examples)
    planted_here = np.array([e.path in planted for e in examples])
    truth = np.where(planted_here, 1 - given, given)
    train = np.array([e.split == "train" for e in examples])
    suspect = np.array([e.path in listed for e in examples])
    probe = fit_probe(
        features[train], given[train], groups_of(examples)[train], classes=2, seed=0
    )
    predicted, held = probe(features).argmax(axis=1), ~train
    corrected = np.where(suspect, truth, given)
    return {
        "true": float((predicted == truth)[held].mean()),
        "as it is": float((predicted == given)[held].mean()),
        "dropped": float((predicted == given)[held & ~suspect].mean()),
        "corrected": float((predicted == corrected)[held].mean()),
    }


def _row(share: float, runs: list[dict[str, Any]]) -> dict[str, Any]:
    precision = [r["hits"] / r["listed"] for r in runs if r["listed"] and share]
    recall = [r["hits"] / r["planted"] for r in runs if r["planted"]]
    return {
        "planted": f"{share:.0%} ({runs[0]['planted']})",
        "listed": statistics.mean(r["listed"] for r in runs),
        "precision": _spread(precision),
        "recall": _spread(recall),
        "of the ten worst": statistics.mean(r["ten"] for r in runs) if share else "",
        "seconds, median": statistics.median(r["seconds"] for r in runs),
    }


def _test(share: float, runs: list[dict[str, Any]]) -> dict[str, Any]:
    names = ("true", "as it is", "dropped", "corrected")
    means = {name: statistics.mean(r[name] for r in runs) for name in names}
    return {"planted": f"{share:.0%}", **means}


def _spread(values: list[float]) -> str:
    if not values:
        return ""
    spread = statistics.stdev(values) if len(values) > 1 else 0.0
    return f"{statistics.mean(values):.2f} ± {spread:.2f}"


if __name__ == "__main__":
    main()
