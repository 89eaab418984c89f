"""The comparison of backbones, input sizes, cuts and poolings on one data set."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tlkit import files
from tlkit.backbones import registry, spec
from tlkit.cache_root import cap_bytes
from tlkit.config import Config, build_config, resolve
from tlkit.dataset.manifest import Manifest
from tlkit.errors import TlkitError, UsageError, unknown_name
from tlkit.experiments.comparison import (
    COSTS,
    MARKER,
    Comparison,
    Entry,
    Row,
    conclude,
    probe_entry,
)
from tlkit.features.cut_features import GOOD
from tlkit.model.head import MAP_POOLINGS
from tlkit.progress import SILENT, Progress
from tlkit.reports import plots
from tlkit.runs.leakage import check_folds
from tlkit.training.cut_probes import Subjects, probe_cuts

SPLITS = ("train", "val")
# The options of the configuration that a comparison takes.
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
# Features are pooled, of images as they are, so that every row is one linear probe.
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
    overwrite: bool = False,
    progress: Progress = SILENT,
    **options: Any,
) -> Comparison:
    """Measure which backbone, input size, cut and pooling suit a data set.

    A linear probe on frozen features is cross-validated on the training and validation
    splits together. Its regularization strength is chosen inside each fold; the test
    split is not used. The best row is selected by the accuracies that are shown, so
    the optimism of that selection is estimated and reported.

    Args:
        data: Data set directory.
        out: Directory to make; compare/DATA-N if None.
        backbones: Names of backbones; the default of `finetune` if empty.
        cuts: Layer names, "good" for the cuts in the table of backbones, "all" for
            every layer with a finished feature map.
        sizes: Input sizes, pixels; the native size of each backbone if empty.
        poolings: How the feature map is pooled: "gap", "gmp", "gap_gmp".
        weights: "imagenet", "none" or a file; or a mapping from backbone to one of
            these. None is "imagenet", for a custom network its own weights.
        cost: The cost that "cheapest" refers to: "ms", "gflop" or "mb".
        folds: Number of outer folds; if None 5, or as many as the smallest class
            allows.
        overwrite: Replace an earlier comparison in `out`.
        progress: Receives progress and messages.
        **options: Of the configuration: resize, seed, device, precision, engine, cache,
            workers; preprocessing for custom networks.

    Returns:
        The comparison; compare.csv, compare.json and compare.png are in its directory.

    Raises:
        RunError: No row could be measured.
        UsageError: An unknown name, or an invalid option.

    Example:
        >>> found = tlkit.compare("ants", backbones=["mobilenetv2", "inception"])
        >>> print(found.entries[found.best])
    """
    _check(poolings, cost, folds, options)
    configs = _configs(backbones or [Config().model.backbone], sizes, weights, options)
    if configs[0].train.cache:
        cap_bytes()
    manifest = Manifest.read(data)
    subjects = Subjects.of(manifest, SPLITS, folds=folds, seed=configs[0].train.seed)
    used = [example for split in SPLITS for example in manifest.of(split)]
    for backbone in dict.fromkeys(config.model.backbone for config in configs):
        check_folds(used, backbone, progress)
    directory = Path(out) if out is not None else _free_directory(manifest)
    with files.replaced_directory(
        directory, marker=MARKER, overwrite=overwrite, what="comparison"
    ) as draft:
        progress.note(
            f"Measuring on {len(subjects.targets)} images of {' and '.join(SPLITS)} in "
            f"{subjects.folds} folds; the test split is not used"
        )
        rows = [
            row
            for config in configs
            for row in _measure(config, cuts, poolings, subjects, progress)
        ]
        found = conclude(rows, subjects, cost, configs[0].inputs.resize, directory)
        found.write(draft)
        plots.draw_comparison(
            [entry.account() for entry in found.entries if not entry.failed],
            {"best": found.best, "cheapest within one standard error": found.cheapest},
            COSTS,
            draft / "compare.png",
        )
    return found


def _free_directory(manifest: Manifest) -> Path:
    """Return the first unused compare/DATA-N below the current folder."""
    stem = Path("compare") / manifest.directory.name
    numbered = (stem.with_name(f"{stem.name}-{n}") for n in itertools.count(1))
    return next(path for path in numbered if not files.is_taken(path))


def _check(
    poolings: Sequence[str], cost: str, folds: int | None, options: Mapping[str, Any]
) -> None:
    for what, names, known in (
        ("option", options, OPTIONS),
        ("pooling", poolings, MAP_POOLINGS),
        ("cost", (cost,), COSTS),
    ):
        for name in names:
            if name not in known:
                error = unknown_name(what, name, known)
                raise error
    if folds is not None and not 2 <= folds <= 100:
        raise UsageError(f"folds must be 2 to 100, got {folds}.")


def _configs(
    names: Sequence[str],
    sizes: Sequence[int],
    weights: str | Mapping[str, str] | None,
    options: Mapping[str, Any],
) -> list[Config]:
    """Build a checked configuration for each backbone and size; none is resolved."""
    found = [_canonical(name) for name in names]
    preprocessing = options.get("preprocessing")
    if preprocessing and not any(map(spec.is_custom, found)):
        raise UsageError(
            f"preprocessing: {preprocessing} is for custom networks; none is compared."
        )
    chosen: Mapping[str, str | None]
    if weights is None or isinstance(weights, str):
        chosen = dict.fromkeys(found, weights)
    else:
        chosen = {_canonical(name): value for name, value in weights.items()}
    if strangers := set(chosen) - set(found):
        raise UsageError(
            "weights: expected names of compared backbones, got "
            f"{', '.join(sorted(strangers))}.",
            hint="Add it to the backbones, or remove its weights.",
        )
    configs = []
    for name, size in itertools.product(found, sizes or (None,)):
        config = build_config(
            options={
                **options,
                **PLAIN,
                "backbone": name,
                "size": size,
                "weights": chosen.get(name),
                "preprocessing": preprocessing if spec.is_custom(name) else None,
            }
        )
        # Opening the row refuses an incomplete custom network before any work.
        model = dataclasses.replace(config.model, backbone=config.model.row.name)
        configs.append(dataclasses.replace(config, model=model))
    return list(dict.fromkeys(configs))


def _canonical(name: str) -> str:
    return name if spec.is_custom(name) else registry.find(name).name


def _measure(
    config: Config,
    cuts: Sequence[str],
    poolings: Sequence[str],
    subjects: Subjects,
    progress: Progress,
) -> list[Row]:
    """Return the rows of one backbone and size, those that failed without scores."""
    model = config.model
    size = model.size or model.row.native
    empty = Entry(model.backbone, model.weights or model.row.default_weights, size)
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
    return [(probe_entry(empty, probe, subjects), probe.scores) for probe in probed] + [
        (dataclasses.replace(empty, cut=cut, failed=why), None)
        for cut, why in failed.items()
    ]
