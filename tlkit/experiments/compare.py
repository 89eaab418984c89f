"""A data set and several networks in, what each would give and cost, out."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tlkit import files
from tlkit.backbones import registry
from tlkit.cache_root import cap_bytes
from tlkit.config import Config, build_config, resolve
from tlkit.dataset.manifest import Manifest
from tlkit.errors import TlkitError, UsageError, unknown_name
from tlkit.experiments.comparison import COSTS, MARKER, Comparison, Entry
from tlkit.experiments.verdict import Row, judge, probe_entry, scratch_entries
from tlkit.features.cut_features import GOOD
from tlkit.model.head import MAP_POOLINGS
from tlkit.progress import Progress, Silent
from tlkit.reports import plots
from tlkit.runs.leakage import check_folds
from tlkit.training.cut_probes import Subjects, probe_cuts

SILENT = Silent()
SIDES = ("train", "val")
# Of the configuration, what counts here.
OPTIONS = (
    "preprocessing",
    "resize",
    "seed",
    "device",
    "precision",
    "engine",
    "cache",
    "workers",
)
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
    weights: str | Mapping[str, str] | None = None,
    cost: str = "ms",
    folds: int | None = None,
    scratch_minutes: float | None = None,
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
        sizes: Sides of the images, pixels; the native one of each if none.
        poolings: "gap", "gmp", "gap_gmp": how the map at the cut becomes features.
        weights: "imagenet", "none" or a file; or which for which backbone. None is
            "imagenet", for a network of the user's own what comes with it.
        cost: By which of "ms", "gflop" and "mb" the cheapest is meant.
        folds: Of the outer cross-validation; 5 where not given, or as many as the
            smallest class allows.
        scratch_minutes: Also train each of the small networks from random weights on
            one fold, so long at most, to see what transfer is worth; None for not.
        overwrite: Whether an earlier comparison in `out` may be replaced.
        progress: Told of all long work.
        **options: Of the configuration: resize, seed, device, precision, engine, store
            and workers; preprocessing for networks of the user's own.

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
    if scratch_minutes is not None and not 0.01 <= scratch_minutes <= 1000:
        raise UsageError(
            f"scratch_minutes: expected 0.01 to 1000, got {scratch_minutes}."
        )
    configs = _configs(backbones or [Config().model.backbone], sizes, weights, options)
    if configs[0].train.cache:
        cap_bytes()
    seed = configs[0].train.seed
    manifest = Manifest.read(data)
    subjects = Subjects.of(manifest, SIDES, folds=folds, seed=seed)
    held = [one for side in SIDES for one in manifest.of(side)]
    for backbone in {config.model.backbone: None for config in configs}:
        check_folds(held, backbone, progress)
    place = Path(out) if out is not None else free_place(manifest)
    with files.replaced_directory(
        place, marker=MARKER, overwrite=overwrite, what="comparison"
    ) as draft:
        progress.note(
            f"Measured on {len(subjects.targets)} images of {' and '.join(SIDES)} by "
            f"{subjects.folds} folds; the test side is not looked at"
        )
        rows: list[Row] = []
        for config in configs:
            rows += _measure(config, cuts, poolings, subjects, progress)
        found, right = judge(rows, subjects, cost, configs[0].inputs.resize, place)
        if scratch_minutes is not None:
            trained = scratch_entries(
                right, subjects, options, scratch_minutes, draft, progress
            )
            entries = sorted(trained, key=lambda entry: entry.cost(cost))
            found = found.with_trained(entries)
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
    poolings: Sequence[str], cost: str, folds: int | None, options: Mapping[str, Any]
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
    if folds is not None and not 2 <= folds <= 100:
        raise UsageError(f"folds: expected 2 to 100, got {folds}.")


def _configs(
    names: Sequence[str],
    sizes: Sequence[int],
    weights: str | Mapping[str, str] | None,
    options: Mapping[str, Any],
) -> list[Config]:
    """One for each backbone and size; checked, not resolved."""
    found = [_canonical(name) for name in names]
    pixels = options.get("preprocessing")
    if pixels and not any(registry.is_own(name) for name in found):
        raise UsageError(
            f"preprocessing: {pixels} is for networks of your own; none is compared."
        )
    chosen: Mapping[str, str] = {}
    if isinstance(weights, str):
        chosen = dict.fromkeys(found, weights)
    elif weights:
        chosen = {_canonical(name): what for name, what in weights.items()}
        if strangers := set(chosen) - set(found):
            raise UsageError(
                f"weights: {', '.join(sorted(strangers))} is not compared.",
                hint="Name it as a backbone, too.",
            )
    sides: Sequence[int | None] = sizes or (None,)
    configs = [
        _looked_at(
            {
                **options,
                **PLAIN,
                "backbone": name,
                "size": size,
                "weights": chosen.get(name),
                "preprocessing": pixels if registry.is_own(name) else None,
            }
        )
        for name in found
        for size in sides
    ]
    return list(dict.fromkeys(configs))


def _looked_at(options: Mapping[str, Any]) -> Config:
    """A configuration; what it lacks of a network of the user's own is told at once."""
    config = build_config(options=options)
    backbone = config.model.row
    return dataclasses.replace(
        config, model=dataclasses.replace(config.model, backbone=backbone.name)
    )


def _canonical(name: str) -> str:
    return name if registry.is_own(name) else registry.find(name).name


def _measure(
    config: Config,
    cuts: Sequence[str],
    poolings: Sequence[str],
    subjects: Subjects,
    progress: Progress,
) -> list[Row]:
    """Rows of one backbone and size, with the answers where there are any."""
    model = config.model
    size = model.size or model.row.native
    empty = Entry(model.backbone, model.weights or model.row.usual_weights, size)
    try:
        config = resolve(config)
        probed, failed = probe_cuts(
            config, cuts, poolings, subjects, progress=progress, timed=True
        )
    except TlkitError as error:
        why = f"{error.message} {error.hint}".strip()
        progress.warn(f"{model.backbone} at {size} px is left out: {why}")
        return [(dataclasses.replace(empty, failed=why), None)]
    empty = dataclasses.replace(
        empty,
        weights=str(config.model.weights),
        preprocessing=config.model.preprocessing or "",
    )
    for cut, why in failed.items():
        progress.warn(f"{model.backbone} up to {cut} is left out: {why}")
    return [(probe_entry(empty, one, subjects), one.scores) for one in probed] + [
        (dataclasses.replace(empty, cut=cut, failed=why), None)
        for cut, why in failed.items()
    ]
