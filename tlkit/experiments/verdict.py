"""Answers in, rows of a comparison and what they come to, out."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.metrics import f1_score, log_loss

from tlkit.config import size_of
from tlkit.errors import RunError
from tlkit.experiments.comparison import Comparison, Entry, megabytes
from tlkit.experiments.from_scratch import from_scratch
from tlkit.metrics.bootstrap import Draws, accuracy, one_standard_error, standard_error
from tlkit.model.head import BOTH
from tlkit.progress import Progress
from tlkit.training.cut_probes import Probed, Subjects
from tlkit.training.splits import outer_rounds

# A row, and float32 [N, n], its answers, if there are any.
Row = tuple[Entry, np.ndarray | None]


def probe_entry(empty: Entry, one: Probed, subjects: Subjects) -> Entry:
    """The row of a probe."""
    inputs = one.at.channels * (2 if one.pooling == BOTH else 1)
    return dataclasses.replace(
        empty,
        cut=one.at.cut,
        pooling=one.pooling,
        ms=one.at.ms,
        gflop=round(one.at.flops / 1e9, 4),
        mb=megabytes(one.at.parameters, inputs, one.scores.shape[1]),
        **figures(one.scores, subjects),
    )


def figures(scores: np.ndarray, subjects: Subjects) -> dict[str, Any]:
    """How good answers are."""
    called, targets = scores.argmax(axis=1), subjects.targets
    return {
        "images": len(called),
        "accuracy": accuracy(called == targets, subjects.groups),
        "macro_f1": float(f1_score(targets, called, average="macro", zero_division=0)),
        "loss": float(log_loss(targets, scores, labels=range(scores.shape[1]))),
    }


def scratch_entries(
    best: np.ndarray,
    subjects: Subjects,
    options: Mapping[str, Any],
    minutes: float,
    work: Path,
    progress: Progress,
) -> list[Entry]:
    """Train the small networks from random weights, and hold them against a probe."""
    one = outer_rounds(subjects.manifest, subjects.folds, 1, seed=subjects.seed)[0]
    some, at = subjects.only([example.id for example in one.manifest.of("test")])
    draws = Draws(some.groups, seed=subjects.seed)
    entries = []
    for net in from_scratch(one, work, options, minutes=minutes, progress=progress):
        model, classes = net.config.model, net.scores.shape[1]
        right = net.scores.argmax(axis=1) == some.targets
        entry = Entry(
            model.backbone,
            str(model.weights),
            size_of(net.config),
            str(model.cut),
            trained="scratch",
            difference=draws.difference(right, best[at]),
            ms=net.ms,
            gflop=round(net.flops / 1e9, 4),
            mb=megabytes(net.parameters, net.channels, classes),
            **figures(net.scores, some),
        )
        progress.note(
            f"{entry.backbone} from scratch: accuracy {entry.accuracy.value:.3f} on "
            f"the {entry.images} images of one fold"
        )
        entries.append(entry)
    return entries


def judge(
    rows: list[Row],
    subjects: Subjects,
    cost: str,
    resize: str,
    place: Path,
) -> tuple[Comparison, np.ndarray]:
    """Hold every row against the best one, and name the cheapest that will do."""
    failed = [entry for entry, scores in rows if scores is None]
    measured = sorted(
        ((entry, scores) for entry, scores in rows if scores is not None),
        key=lambda row: row[0].cost(cost),
    )
    if not measured:
        lines = "; ".join(
            f"{entry.backbone} at {entry.size} px: {entry.failed}" for entry in failed
        )
        raise RunError(f"Nothing could be compared. {lines}")
    entries = [entry for entry, _ in measured]
    right = np.stack(
        [scores.argmax(axis=1) == subjects.targets for _, scores in measured], axis=1
    )
    costs = [entry.cost(cost) for entry in entries]
    # From the cheapest up, so that the first of equals is the cheapest.
    best = int(right.mean(axis=0).argmax())
    error = standard_error(entries[best].accuracy)

    def rule(accuracies: np.ndarray) -> int:
        return one_standard_error(accuracies.tolist(), error, costs)

    draws = Draws(subjects.groups, seed=subjects.seed)
    entries = [
        dataclasses.replace(
            entry, difference=draws.difference(right[:, i], right[:, best])
        )
        for i, entry in enumerate(entries)
    ]
    found = Comparison(
        data=str(subjects.manifest.directory),
        directory=place,
        entries=(*entries, *failed),
        best=best,
        cheapest=rule(right.mean(axis=0)),
        cost=cost,
        optimism=(
            draws.optimism(right, lambda shares: int(shares.argmax())),
            draws.optimism(right, rule),
        ),
        folds=subjects.folds,
        resize=resize,
    )
    return found, right[:, best]
