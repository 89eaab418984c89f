"""What is wrong within one COCO JSON in, lines of a length to be read out."""

from __future__ import annotations

from collections import defaultdict

from tlkit.dataset.sources.page import Rejection

# A file of many faults is listed by so many of each kind, and the number of others.
MANY = 100


class Faults:
    """What is wrong within one file.

    Args:
        file: Its path, relative to the source root.
    """

    def __init__(self, file: str) -> None:
        self.file = file
        self._told: list[Rejection] = []
        self._numbers: dict[str, int] = defaultdict(int)

    def add(self, reason: str, detail: str) -> None:
        """Note a fault.

        Args:
            reason: A short word for tables.
            detail: What was found, for a person.
        """
        self._numbers[reason] += 1
        if self._numbers[reason] <= MANY:
            self._told.append(Rejection(self.file, reason, f"{detail}."))

    def rejections(self) -> list[Rejection]:
        """All that were noted, long lists cut."""
        return self._told + [
            Rejection(self.file, reason, f"And {number - MANY:,} more of this kind.")
            for reason, number in self._numbers.items()
            if number > MANY
        ]
