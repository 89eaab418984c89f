"""Selective classification: accuracy by coverage, and a rejection threshold.

The most confident predictions are kept and the rest is rejected; coverage is the share
that is kept (El-Yaniv and Wiener 2010, "On the foundations of noise-free selective
classification").
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from tlkit.errors import RunError, UsageError
from tlkit.metrics.intervals import design_effect, wilson_interval

FORMS = "coverage:SHARE, accuracy:SHARE, confidence:P or none"


@dataclass(frozen=True)
class Rule:
    """A rule that sets the threshold.

    "coverage" keeps at least that share of the images, "accuracy" as many as possible
    with at least that accuracy, "confidence" those at or above that confidence.
    """

    kind: str
    value: float

    def __str__(self) -> str:
        return f"{self.kind}:{self.value:g}"


def parse_rule(text: str) -> Rule | None:
    """Parse a rejection rule.

    Args:
        text: "coverage:0.95", "accuracy:0.98", "confidence:0.7" or "none".

    Returns:
        The rule; None for "none".

    Raises:
        UsageError: The text has another form.
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
            f"The rejection rule must be {FORMS}, with a number above 0 and up to 1, "
            f"got {text!r}."
        )
    return Rule(kind, number)


def coverage_table(
    correct: np.ndarray, confidence: np.ndarray, groups: Sequence[str]
) -> pd.DataFrame:
    """Compute the accuracy of the most confident predictions, for each number of them.

    Args:
        correct: bool [N], N at least 1.
        confidence: float [N], higher is more confident.
        groups: N names; images with the same name are not independent.

    Returns:
        A row per distinct confidence, the highest first: confidence (predictions at or
        above it are kept), kept, coverage, accuracy, and accuracy_low and
        accuracy_high, the 95 % Wilson interval with the design effect of all images.
    """
    order = np.argsort(-confidence, kind="stable")
    falling = confidence[order]
    ends = np.append(np.flatnonzero(np.diff(falling)), len(falling) - 1)
    hits, kept = np.cumsum(correct[order])[ends], ends + 1
    effect = design_effect(correct, groups)
    intervals = [
        wilson_interval(h / effect, n / effect)
        for h, n in zip(hits.tolist(), kept.tolist(), strict=True)
    ]
    return pd.DataFrame(
        {
            "confidence": falling[ends],
            "kept": kept,
            "coverage": kept / len(falling),
            "accuracy": hits / kept,
            "accuracy_low": [low for low, _ in intervals],
            "accuracy_high": [high for _, high in intervals],
        }
    )


def aurc(table: pd.DataFrame) -> float:
    """Compute the area under the risk-coverage curve.

    Args:
        table: From `coverage_table`.

    Returns:
        Share of incorrect predictions averaged over all coverages, 0 to 1, lower is
        better (Geifman and El-Yaniv 2017, "Selective classification for deep neural
        networks").
    """
    steps = np.diff(table["coverage"], prepend=0.0)
    return float((steps * (1 - table["accuracy"])).sum())


def choose_threshold(rule: Rule, table: pd.DataFrame) -> float:
    """Choose the confidence below which a prediction is rejected.

    Args:
        rule: From `parse_rule`.
        table: From `coverage_table`, of images that were not trained on.

    Returns:
        Halfway between the least confident prediction that is kept and the next.

    Raises:
        RunError: No coverage reaches the accuracy.
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
            f"No threshold reaches an accuracy of {rule.value:g} on the validation "
            f"images: the best is {best['accuracy']:.3f}, with {best['kept']:.0f} of "
            "them kept.",
            hint="Lower the accuracy, or give a coverage.",
        )
    following = table["confidence"].to_numpy()[fits[0] : fits[0] + 2]
    return float(following.mean())
