"""How sure answers are in, how right the surest of them are out, and a limit to set.

The surest answers are kept, the rest is rejected: coverage is the share that is kept
(El-Yaniv and Wiener 2010, "On the foundations of noise-free selective classification").
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from tlkit.errors import RunError, UsageError
from tlkit.metrics.multiclass import wilson_interval

FORMS = "coverage:SHARE, accuracy:SHARE, confidence:P or none"


@dataclass(frozen=True)
class Rule:
    """By what a limit is set.

    Attributes:
        kind: "coverage" keeps at least that share of the images, "accuracy" as many
            as can be with at least that share of them right, "confidence" those that
            are at least so sure.
        value: 0 to 1.
    """

    kind: str
    value: float

    def __str__(self) -> str:
        return f"{self.kind}:{self.value:g}"


def parse_rule(text: str) -> Rule | None:
    """Read a rule as a person writes it.

    Args:
        text: "coverage:0.95", "accuracy:0.98", "confidence:0.7" or "none".

    Returns:
        The rule; None for none.

    Raises:
        UsageError: Not of this form.
    """
    if text == "none":
        return None
    kind, _, value = text.partition(":")
    try:
        number = float(value)
    except ValueError:
        number = -1.0
    if kind not in {"coverage", "accuracy", "confidence"} or not 0 < number <= 1:
        raise UsageError(
            f"What is unknown is told by {FORMS}, with a number above 0 and up to 1. "
            f"Received: {text!r}."
        )
    return Rule(kind, number)


def coverage_table(right: np.ndarray, certainty: np.ndarray) -> pd.DataFrame:
    """How right the surest answers are, for each number of them.

    Args:
        right: bool [N], N at least 1.
        certainty: float [N], the surer the higher.

    Returns:
        A row for each different certainty, the highest first: certainty (those that
        are not below it are kept), kept, coverage, accuracy, and accuracy_low and
        accuracy_high, its 95 % interval (Wilson).
    """
    order = np.argsort(-certainty, kind="stable")
    falling = certainty[order]
    ends = np.append(np.flatnonzero(np.diff(falling)), len(falling) - 1)
    found = np.cumsum(right[order])[ends]
    intervals = [
        wilson_interval(int(f), int(kept))
        for f, kept in zip(found, ends + 1, strict=True)
    ]
    return pd.DataFrame(
        {
            "certainty": falling[ends],
            "kept": ends + 1,
            "coverage": (ends + 1) / len(falling),
            "accuracy": found / (ends + 1),
            "accuracy_low": [low for low, _ in intervals],
            "accuracy_high": [high for _, high in intervals],
        }
    )


def risk_area(table: pd.DataFrame) -> float:
    """The share of wrong answers, averaged over all coverages.

    Args:
        table: From `coverage_table`.

    Returns:
        0 to 1, the lower the better: the area under the risk-coverage curve (Geifman
        and El-Yaniv 2017, "Selective classification for deep neural networks").
    """
    steps = np.diff(table["coverage"], prepend=0.0)
    return float((steps * (1 - table["accuracy"])).sum())


def choose_limit(rule: Rule, table: pd.DataFrame) -> float:
    """The certainty below which an answer is rejected.

    Args:
        rule: What is wanted.
        table: From `coverage_table`, of images that were not trained on.

    Returns:
        Halfway between the least sure answer that is kept and the next.

    Raises:
        RunError: The accuracy is reached at no coverage.
    """
    if rule.kind == "confidence":
        return rule.value
    if rule.kind == "coverage":
        fits = np.flatnonzero(table["coverage"] >= rule.value - 1e-9)[:1]
    else:
        fits = np.flatnonzero(table["accuracy"] >= rule.value)[-1:]
    if not len(fits):
        best = table.iloc[int(table["accuracy"].argmax())]
        raise RunError(
            f"No limit reaches an accuracy of {rule.value:g} on the validation "
            f"images: the best is {best['accuracy']:.3f}, with {best['kept']:.0f} of "
            "them kept.",
            hint="Ask for less, or for a coverage.",
        )
    following = table["certainty"].to_numpy()[fits[0] : fits[0] + 2]
    return float(following.mean())
