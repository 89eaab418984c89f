"""A data set in, the examples whose label is probably wrong out, with images."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tlkit import files
from tlkit.config import Config
from tlkit.dataset.manifest import SPLITS, Example, Manifest, write_table
from tlkit.errors import RunError
from tlkit.experiments.find_label_issues import find_suspects
from tlkit.experiments.label_issues_dir import COLUMNS, INFO, PAGE, TABLE, LabelIssues
from tlkit.experiments.label_issues_page import LabelIssue, label_issues_page
from tlkit.features.embedding import embedding_config, features_of, network_of
from tlkit.files import replaced_directory
from tlkit.progress import Progress, Silent
from tlkit.runs.leakage import check_folds
from tlkit.runs.result_dir import versions
from tlkit.training.probe import Probe, fit_probe

SILENT = Silent()
# Of well-known data sets 0.2 to 10 % of the labels are wrong (Northcutt, Athalye and
# Mueller 2021, arXiv 2103.14749): of more contradictions than this most are mistaken.
MOST_WRONG = 0.2


def label_issues(
    data: str | Path,
    out: str | Path,
    *,
    overwrite: bool = False,
    progress: Progress = SILENT,
    **options: Any,
) -> LabelIssues:
    """List the examples whose label is probably wrong.

    A linear probe on frozen features is cross-validated over all sides of the split,
    so that each example is judged by others alone, and not by those of its group:
    copies do not vouch for each other. Confident learning then tells which labels
    these probabilities speak against.

    Args:
        data: A data set directory.
        out: The folder to make, for label_issues.csv, .html and .json.
        overwrite: Replace an earlier one.
        progress: Told of all long work.
        **options: Of the network: those in config.FROZEN_OPTIONS.

    Returns:
        What was written.

    Raises:
        RunError: Examples of several labels, or a class too small to be judged.
        UsageError: A wrong option, or a place that must not be written to.

    Example:
        >>> found = tlkit.label_issues("data", "label_issues")
        >>> tlkit.annotate("data", "work", what="mistakes", label_issues=found)
    """
    config = embedding_config(**options)
    manifest = one_label_each(Manifest.read(data))
    groups = groups_of(manifest.examples)
    targets = manifest.targets(manifest.examples)
    _check_classes(manifest, targets, groups)
    check_folds(manifest.examples, config.model.backbone, progress)
    with replaced_directory(
        Path(out), marker=INFO, overwrite=overwrite, what="folder of doubts"
    ) as draft:
        features = features_of(
            config, manifest.source, manifest.examples, "Computing features", progress
        )
        progress.start("Cross-validating a probe")
        probe = fit_probe(
            features,
            targets,
            groups,
            classes=len(manifest.labels),
            seed=config.train.seed,
        )
        found = _found(manifest, targets, probe.held_out)
        info = _info(manifest, config, targets, probe, found)
        if found and info["agreement"] < 1 - MOST_WRONG:
            progress.warn(
                f"The probe contradicts {1 - info['agreement']:.0%} of the labels, of "
                "which hardly so many are wrong: most of what is listed may be its own "
                "mistakes. A larger --size, or another --backbone, may know these "
                "classes better; tlkit compare tells"
            )
        rows = [_row(doubt) for doubt in found]
        write_table(draft / TABLE, COLUMNS, rows)
        files.write_json(draft / INFO, info)
        page = label_issues_page(
            manifest, found, info, workers=config.inputs.workers, progress=progress
        )
        files.write_text(draft / PAGE, page)
    return LabelIssues.read(out)


def one_label_each(manifest: Manifest) -> Manifest:
    """Refuse a data set whose examples have several labels."""
    if manifest.multi_label:
        raise RunError(
            f"The examples of {manifest.directory} have several labels each: expected "
            "one, for a probe tells one class from the others.",
            hint="Prepare it again without --multi-label: by --label-by shapes, say.",
        )
    return manifest


def groups_of(examples: Sequence[Example]) -> np.ndarray:
    """Number the groups of examples."""
    names = [example.group for example in examples]
    return np.unique(names, return_inverse=True)[1]


def _check_classes(manifest: Manifest, targets: np.ndarray, groups: np.ndarray) -> None:
    if len(manifest.labels) < 2:
        raise RunError(
            f"{manifest.directory} has one class, {manifest.labels[0]}: expected two, "
            "for a label can only be doubted in favor of another.",
        )
    small = [
        label
        for number, label in enumerate(manifest.labels)
        if len(np.unique(groups[targets == number])) < 2
    ]
    if small:
        raise RunError(
            f"Expected at least two images or groups of every class; too small: "
            f"{', '.join(small)}. No other image can judge those of such a class.",
            hint="Get more images of it, or leave the class out.",
        )


def _found(
    manifest: Manifest, targets: np.ndarray, shares: np.ndarray
) -> list[LabelIssue]:
    places, quality = find_suspects(targets, shares)
    others = shares.copy()
    others[np.arange(len(targets)), targets] = -1
    best = others.argmax(axis=1)
    return [
        LabelIssue(
            manifest.examples[i],
            manifest.labels[best[i]],
            float(shares[i, targets[i]]),
            float(shares[i, best[i]]),
            float(quality[i]),
        )
        for i in places
    ]


def _row(doubt: LabelIssue) -> list[object]:
    example = doubt.example
    numbers = (doubt.given_share, doubt.suggested_share, doubt.quality)
    return [
        example.id,
        example.path,
        " ".join(map(str, example.box or ())),
        example.split,
        example.label,
        doubt.suggested,
        *(f"{number:.4f}" for number in numbers),
    ]


def _info(
    manifest: Manifest,
    config: Config,
    targets: np.ndarray,
    probe: Probe,
    found: Sequence[LabelIssue],
) -> dict[str, Any]:
    looked_at = Counter(example.split for example in manifest.examples)
    doubtful = Counter(doubt.example.split for doubt in found)
    return {
        "data": {
            "directory": str(manifest.directory.resolve()),
            "checksum": manifest.checksum,
        },
        "network": network_of(config),
        "seed": config.train.seed,
        "folds": probe.folds,
        # How far the probe, of labels it had not seen, agrees with them.
        "agreement": float((probe.held_out.argmax(axis=1) == targets).mean()),
        "looked_at": {side: looked_at[side] for side in SPLITS},
        "doubtful": {side: doubtful[side] for side in SPLITS},
        "versions": versions(),
    }
