"""The manifest of a prepared data set."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from tlkit.dataset.dataset_files import (
    INFO,
    LABELS,
    MANIFEST,
    check_examples,
    checksum_of,
    locate_source,
    read_examples,
    read_info,
    read_labels,
)
from tlkit.dataset.example import RESTORE, SPLITS, Example
from tlkit.errors import DatasetError


@dataclass(frozen=True)
class Manifest:
    """A prepared data set.

    Attributes:
        directory: Where its files are.
        source: The root that the paths of the examples start from.
        labels: The class order.
        examples: All of them.
        checksum: sha256 over labels and examples, wherever they are.
        info: The content of dataset.json.
    """

    directory: Path
    source: Path
    labels: tuple[str, ...]
    examples: tuple[Example, ...]
    checksum: str
    info: dict[str, Any] = field(compare=False, repr=False)

    def of(self, split: str) -> tuple[Example, ...]:
        """Return the examples of a split.

        Args:
            split: One of SPLITS.

        Returns:
            Its examples, in the order of the manifest.
        """
        return tuple(example for example in self.examples if example.split == split)

    @property
    def multi_label(self) -> bool:
        """True if an example may have several labels."""
        return bool(self.info.get("multi_label"))

    def targets(self, examples: str | Sequence[Example]) -> np.ndarray:
        """Return the class indices of examples that have one label each.

        Args:
            examples: A split, or examples.

        Returns:
            int64 [N], indices into `labels`.
        """
        chosen = self.of(examples) if isinstance(examples, str) else examples
        index = {label: i for i, label in enumerate(self.labels)}
        return np.array([index[example.label] for example in chosen], np.int64)

    def multi_hot(self, examples: str | Sequence[Example]) -> np.ndarray:
        """Return the classes of examples that have one label each, or several.

        Args:
            examples: A split, or examples.

        Returns:
            float32 [N, n]: 1 in the columns of the example's labels, else 0.
        """
        chosen = self.of(examples) if isinstance(examples, str) else examples
        index = {label: i for i, label in enumerate(self.labels)}
        found = np.zeros((len(chosen), len(self.labels)), np.float32)
        for row, example in zip(found, chosen, strict=True):
            row[[index[label] for label in example.labels]] = 1
        return found

    def counts(self) -> dict[str, dict[str, int]]:
        """Count the examples.

        Returns:
            For each label, in order, the number in each split, zeros included.
        """
        number = Counter((label, e.split) for e in self.examples for label in e.labels)
        return {
            label: {split: number[label, split] for split in SPLITS}
            for label in self.labels
        }

    @classmethod
    def read(
        cls,
        directory: Path | str,
        *,
        allow_changes: bool = False,
        find_source: bool = True,
    ) -> Manifest:
        """Read a data set directory and check that it holds together.

        Args:
            directory: What prepare wrote.
            allow_changes: Take it even if it was changed since, or if a group is in
                several splits.
            find_source: Check that its images are still there.

        Returns:
            The manifest.

        Raises:
            DatasetError: No such directory, or it was changed since prepare, or its
                images are no longer where they were.
        """
        directory = Path(directory)
        info = read_info(directory)
        labels = read_labels(directory / LABELS)
        multi_label = bool(info.get("multi_label"))
        examples = read_examples(directory / MANIFEST, multi_label=multi_label)
        check_examples(directory, labels, examples, allow_split_groups=allow_changes)
        checksum = checksum_of(labels, examples)
        if checksum != info["checksum"] and not allow_changes:
            changed = MANIFEST if list(labels) == info.get("labels") else LABELS
            raise DatasetError(
                f"{directory / changed} was changed since it was prepared: its "
                f"checksum is {checksum[:12]}, {INFO} has {info['checksum']!s:.12}.",
                hint=RESTORE,
            )
        source = locate_source(directory, info, must_exist=find_source)
        return cls(directory, source, labels, examples, checksum, info)
