"""A data set and several networks in, what each would give and cost, out."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tlkit import files
from tlkit.cache_root import cap_bytes
from tlkit.config import Config, build_config, resolve
from tlkit.dataset.manifest import Manifest
from tlkit.errors import RunError, TlkitError, UsageError, unknown_name
from tlkit.model import backbones as table
from tlkit.model.head import MAP_POOLINGS
from tlkit.progress import Progress, Silent
from tlkit.run import plots
from tlkit.run.comparison import COSTS, MARKER, Comparison, Entry, megabytes
from tlkit.run.cut_features import GOOD
from tlkit.run.cut_probes import Probed, Subjects, probe_cuts
from tlkit.run.noise import Draws, accuracy, one_standard_error, standard_error
from tlkit.run.probe import FOLDS

SILENT = Silent()
SIDES = ("train", "val")
# Of the configuration, what counts here.
OPTIONS = ("resize", "seed", "device", "precision", "engine", "store", "workers")
# What is measured: no augmentation, pooled features.
PLAIN = {"augment": "none", "views": 1, "head": "gap", "phases": "one"}


def compare(
    data: str | Path,
    out: str | Path | None = None,
    *,
    backbones: Sequence[str] = (),
    cuts: Sequence[str] = (GOOD,),
    sizes: Sequence[int] = (),
    poolings: Sequence[str] = MAP_POOLINGS,
    weights: str | Mapping[str, str] = "imagenet",
    cost: str = "ms",
    folds: int = FOLDS,
    overwrite: bool = False,
    progress: Progress = SILENT,
    **options: Any,
) -> Comparison:
    """Measure which backbone, input size, cut and pooling suit a data set.

    A linear probe on the frozen features is cross-validated on the training and the
    validation side together, its strength chosen inside of each fold; the test side is
    not looked at. Which row is best is chosen by the accuracies that are shown: by how
    much that flatters it is told along.

    Args:
        data: What `prepare` wrote.
        out: The directory to make; compare/DATA-N where not given.
        backbones: Which networks; the default one of `finetune` if none.
        cuts: Layers, "good" for those that the table of backbones has, "all" for
            every one at which a network can be cut with sense.
        sizes: Sides of the pictures, pixels; the native one of each if none.
        poolings: "gap", "gmp", "gap_gmp": how the map at the cut becomes features.
        weights: "imagenet", "none" or a file; or which for which backbone.
        cost: By which of "ms", "gflop" and "mb" the cheapest is meant.
        folds: Of the outer cross-validation.
        overwrite: Whether an earlier comparison in `out` may be replaced.
        progress: Told of all long work.
        **options: Of the configuration: resize, seed, device, precision, engine, store
            and workers.

    Returns:
        The comparison; compare.csv, compare.json and compare.png are in its directory.

    Raises:
        RunError: Nothing could be measured.
        UsageError: A wrong name or option.

    Example:
        >>> found = tlkit.compare("ants", backbones=["mobilenetv2", "inception"])
        >>> print(found.entries[found.best])
    """
    _check(poolings, cost, folds, options)
    configs = _configs(backbones or [Config().model.backbone], sizes, weights, options)
    if configs[0].train.store:
        cap_bytes()
    seed = configs[0].train.seed
    manifest = Manifest.read(data)
    subjects = Subjects.of(manifest, SIDES, folds=folds, seed=seed)
    place = Path(out) if out is not None else free_place(manifest)
    with files.replaced_directory(
        place, marker=MARKER, overwrite=overwrite, what="comparison"
    ) as draft:
        progress.note(
            f"Measured on {len(subjects.targets)} pictures of {' and '.join(SIDES)} by "
            f"{subjects.folds} folds; the test side is not looked at"
        )
        rows: list[tuple[Entry, np.ndarray | None]] = []
        for config in configs:
            rows += _measure(config, cuts, poolings, subjects, progress)
        found = _judge(rows, subjects, cost, configs[0].inputs.resize, place)
        found.write(draft)
        plots.get_ready()
        plots.draw_comparison(found, COSTS, draft / "compare.png")
    return found


def free_place(manifest: Manifest) -> Path:
    """The first free compare/DATA-N below the current folder."""
    number = 1
    while files.is_taken(Path("compare") / f"{manifest.directory.name}-{number}"):
        number += 1
    return Path("compare") / f"{manifest.directory.name}-{number}"


def _check(
    poolings: Sequence[str], cost: str, folds: int, options: Mapping[str, Any]
) -> None:
    for name in options:
        if name not in OPTIONS:
            error = unknown_name("option", name, OPTIONS)
            raise error
    for pooling in poolings:
        if pooling not in MAP_POOLINGS:
            error = unknown_name("pooling", pooling, MAP_POOLINGS)
            raise error
    if cost not in COSTS:
        error = unknown_name("cost", cost, COSTS)
        raise error
    if not 2 <= folds <= 100:
        raise UsageError(f"folds: expected 2 to 100, got {folds}.")


def _configs(
    names: Sequence[str],
    sizes: Sequence[int],
    weights: str | Mapping[str, str],
    options: Mapping[str, Any],
) -> list[Config]:
    """One for each backbone and size; checked, not resolved."""
    found = [table.find(name).name for name in names]
    chosen: Mapping[str, str] = {}
    if not isinstance(weights, str):
        chosen = {table.find(name).name: what for name, what in weights.items()}
        if strangers := set(chosen) - set(found):
            raise UsageError(
                f"weights: {', '.join(sorted(strangers))} is not compared.",
                hint="Name it as a backbone, too.",
            )
    sides: Sequence[int | None] = sizes or (None,)
    configs = [
        build_config(
            options={
                **options,
                **PLAIN,
                "backbone": name,
                "size": size,
                "weights": weights
                if isinstance(weights, str)
                else chosen.get(name, "imagenet"),
            }
        )
        for name in found
        for size in sides
    ]
    return list(dict.fromkeys(configs))


def _measure(
    config: Config,
    cuts: Sequence[str],
    poolings: Sequence[str],
    subjects: Subjects,
    progress: Progress,
) -> list[tuple[Entry, np.ndarray | None]]:
    """Rows of one backbone and size, with the answers where there are any."""
    model = config.model
    size = model.size or table.find(model.backbone).native
    empty = Entry(model.backbone, model.weights, size)
    try:
        config = resolve(config)
        probed, failed = probe_cuts(
            config, cuts, poolings, subjects, progress=progress, timed=True
        )
    except TlkitError as error:
        progress.warn(f"{model.backbone} at {size} px is left out: {error.message}")
        return [(dataclasses.replace(empty, failed=error.message), None)]
    empty = dataclasses.replace(empty, weights=config.model.weights)
    for cut, why in failed.items():
        progress.warn(f"{model.backbone} up to {cut} is left out: {why}")
    return [(_entry(empty, one, subjects), one.scores) for one in probed] + [
        (dataclasses.replace(empty, cut=cut, failed=why), None)
        for cut, why in failed.items()
    ]


def _entry(empty: Entry, one: Probed, subjects: Subjects) -> Entry:
    right = one.scores.argmax(axis=1) == subjects.targets
    f1, loss = subjects.measures(one.scores)
    inputs = one.at.channels * (2 if one.pooling == "gap_gmp" else 1)
    return dataclasses.replace(
        empty,
        cut=one.at.cut,
        pooling=one.pooling,
        pictures=len(right),
        accuracy=accuracy(right, subjects.groups),
        macro_f1=f1,
        loss=loss,
        ms=one.at.ms,
        gflop=round(one.at.flops / 1e9, 4),
        mb=megabytes(one.at.parameters, inputs, one.scores.shape[1]),
    )


def _judge(
    rows: list[tuple[Entry, np.ndarray | None]],
    subjects: Subjects,
    cost: str,
    resize: str,
    place: Path,
) -> Comparison:
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
    return Comparison(
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
