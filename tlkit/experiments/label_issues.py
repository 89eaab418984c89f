"""Label issues: the examples of a data set whose label is probably incorrect.

label_issues.json  the network, the counts by split, the agreement of the probe
label_issues.csv   one row per example, the most suspect first
label_issues.html  their images
"""

from __future__ import annotations

import csv
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tlkit import files
from tlkit.config import Config
from tlkit.dataset.dataset_files import write_table
from tlkit.dataset.example import SPLITS, Example
from tlkit.dataset.manifest import Manifest
from tlkit.errors import RunError
from tlkit.experiments.confident_learning import find_suspects
from tlkit.experiments.label_issues_page import LabelIssue, label_issues_page
from tlkit.features.embedding import embedding_config, features_of, network_of
from tlkit.progress import SILENT, Progress
from tlkit.runs.leakage import check_folds
from tlkit.runs.result_dir import versions
from tlkit.training.probe import Probe, fit_probe

INFO, TABLE, PAGE = "label_issues.json", "label_issues.csv", "label_issues.html"
COLUMNS = (
    "id", "path", "box", "split", "label", "suggested", "p_label", "p_suggested",
    "quality",
)  # fmt: skip
# In well-known data sets 0.2 to 10 % of the labels are incorrect (Northcutt, Athalye
# and Mueller 2021, arXiv 2103.14749). With more, most are errors of the probe.
MOST_INCORRECT = 0.2


@dataclass(frozen=True)
class LabelIssues:
    """The label issues of a data set, as written by `tlkit.label_issues`.

    Attributes:
        directory: Their folder.
        info: The content of label_issues.json.
        rows: The rows of label_issues.csv, the most suspect first.
    """

    directory: Path
    info: dict[str, Any]
    rows: tuple[dict[str, str], ...]

    @property
    def paths(self) -> list[str]:
        """The images, relative to the source root, each once."""
        return list(dict.fromkeys(row["path"] for row in self.rows))

    @classmethod
    def read(cls, directory: Path | str) -> LabelIssues:
        """Read a folder of label issues.

        Args:
            directory: The folder.

        Returns:
            The label issues, without rows that were removed from the table since.

        Raises:
            RunError: The folder holds none, or is damaged.
        """
        directory = Path(directory)
        hint = f"Make it: tlkit label-issues DATASET --out {directory}"
        try:
            info = json.loads((directory / INFO).read_text(encoding="utf-8"))
            with (directory / TABLE).open(encoding="utf-8", newline="") as file:
                reader = csv.DictReader(file)
                rows = tuple(reader)
                columns = reader.fieldnames or ()
        except (OSError, ValueError, csv.Error) as error:
            raise RunError(
                f"{directory} is not a folder of tlkit label-issues: {error}.",
                hint=hint,
            ) from error
        complete = "path" in columns and all(row["path"] for row in rows)
        if not isinstance(info, dict) or not complete:
            raise RunError(
                f"{directory / TABLE} is damaged: its rows need a path.", hint=hint
            )
        return cls(directory, info, rows)

    def manifest(self, data: str | Path) -> Manifest:
        """Read the data set that the label issues are of.

        Args:
            data: Its directory.

        Returns:
            Its manifest.

        Raises:
            RunError: It is another data set, or has changed since.
        """
        manifest = Manifest.read(data)
        checksum = self.info.get("data", {}).get("checksum")
        if manifest.checksum != checksum:
            raise RunError(
                f"{self.directory} is about a data set with checksum "
                f"{str(checksum)[:8]}, {manifest.directory} has "
                f"{manifest.checksum[:8]}: it is another data set, or was prepared "
                "again since.",
                hint=f"Run tlkit label-issues {data} --out {self.directory} "
                "--overwrite",
            )
        return manifest


def label_issues(
    data: str | Path,
    out: str | Path,
    *,
    overwrite: bool = False,
    progress: Progress = SILENT,
    **options: Any,
) -> LabelIssues:
    """List the examples whose label is probably incorrect.

    A linear probe on frozen features is cross-validated over all splits. The
    probabilities of an example come from a probe that has seen neither it nor its
    group, so duplicates do not confirm each other's label. Confident learning then
    finds the labels that contradict these probabilities.

    Args:
        data: Data set directory.
        out: Folder to make, for label_issues.csv, .html and .json.
        overwrite: Replace an earlier one.
        progress: Receives progress and messages.
        **options: Of the network: those of config.Scope.FEATURES.

    Returns:
        The label issues.

    Raises:
        RunError: Examples have several labels, or a class is too small.
        UsageError: An invalid option, or `out` must not be written to.

    Example:
        >>> found = tlkit.label_issues("data", "label_issues")
        >>> tlkit.annotate(
        ...     "data", "to_correct", select="label-issues", label_issues=found
        ... )
    """
    config = embedding_config(**options)
    manifest = one_label_each(Manifest.read(data))
    groups = groups_of(manifest.examples)
    targets = manifest.targets(manifest.examples)
    _check_classes(manifest, targets, groups)
    check_folds(manifest.examples, config.model.backbone, progress)
    with files.replaced_directory(
        Path(out), marker=INFO, overwrite=overwrite, what="folder of label issues"
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
        issues = _issues(manifest, targets, probe.held_out)
        info = _info(manifest, config, targets, probe, issues)
        if issues and info["agreement"] < 1 - MOST_INCORRECT:
            progress.warn(
                f"The probe contradicts {1 - info['agreement']:.0%} of the labels. "
                "Hardly so many are incorrect: most of the list may be errors of the "
                "probe. A larger --size or another --backbone may separate these "
                "classes better; tlkit compare measures it"
            )
        write_table(draft / TABLE, COLUMNS, [_row(issue) for issue in issues])
        files.write_json(draft / INFO, info)
        page = label_issues_page(
            manifest, issues, info, workers=config.inputs.workers, progress=progress
        )
        files.write_text(draft / PAGE, page)
    return LabelIssues.read(out)


def one_label_each(manifest: Manifest) -> Manifest:
    """Refuse a multi-label data set; return any other."""
    if manifest.multi_label:
        raise RunError(
            f"The examples of {manifest.directory} have several labels each: expected "
            "one, as a probe separates one class from the others.",
            hint="Prepare it again without --multi-label, for example with "
            "--label-by shapes.",
        )
    return manifest


def groups_of(examples: Sequence[Example]) -> np.ndarray:
    """Return the group of each example as a number, int [N]."""
    names = [example.group for example in examples]
    return np.unique(names, return_inverse=True)[1]


def _check_classes(manifest: Manifest, targets: np.ndarray, groups: np.ndarray) -> None:
    if len(manifest.labels) < 2:
        raise RunError(
            f"{manifest.directory} has one class, {manifest.labels[0]}: expected two, "
            "as an incorrect label needs another that is correct."
        )
    small = [
        label
        for number, label in enumerate(manifest.labels)
        if len(np.unique(groups[targets == number])) < 2
    ]
    if small:
        raise RunError(
            "Expected at least two images or groups of every class; too small: "
            f"{', '.join(small)}. The images of a class are checked by others of it.",
            hint="Get more images of it, or leave the class out.",
        )


def _issues(
    manifest: Manifest, targets: np.ndarray, probabilities: np.ndarray
) -> list[LabelIssue]:
    indices, quality = find_suspects(targets, probabilities)
    others = probabilities.copy()
    others[np.arange(len(targets)), targets] = -1
    best = others.argmax(axis=1)
    return [
        LabelIssue(
            manifest.examples[i],
            manifest.labels[best[i]],
            float(probabilities[i, targets[i]]),
            float(probabilities[i, best[i]]),
            float(quality[i]),
        )
        for i in indices
    ]


def _row(issue: LabelIssue) -> list[object]:
    example = issue.example
    numbers = (issue.p_label, issue.p_suggested, issue.quality)
    return [
        example.id,
        example.path,
        " ".join(map(str, example.box or ())),
        example.split,
        example.label,
        issue.suggested,
        *(f"{number:.4f}" for number in numbers),
    ]


def _info(
    manifest: Manifest,
    config: Config,
    targets: np.ndarray,
    probe: Probe,
    issues: Sequence[LabelIssue],
) -> dict[str, Any]:
    examples = Counter(example.split for example in manifest.examples)
    listed = Counter(issue.example.split for issue in issues)
    return {
        "data": {
            "directory": str(manifest.directory.resolve()),
            "checksum": manifest.checksum,
        },
        "network": network_of(config),
        "seed": config.train.seed,
        "folds": probe.folds,
        # Share of labels that the probe predicts without having seen them.
        "agreement": float((probe.held_out.argmax(axis=1) == targets).mean()),
        "examples": {split: examples[split] for split in SPLITS},
        "label_issues": {split: listed[split] for split in SPLITS},
        "versions": versions(),
    }
