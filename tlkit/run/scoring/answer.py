"""What a person gets to hear of one picture."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Answer:
    """One answer.

    Attributes:
        label: The class, or "unknown"; of several labels all of them, "|" between, as
            in a manifest.
        labels: The same one by one; none where it is unknown.
        probability: Of the one class; None where there may be several.
        guess: The likeliest class, where the label may be "unknown"; else None.
    """

    label: str
    labels: tuple[str, ...]
    probability: float | None = None
    guess: str | None = None
