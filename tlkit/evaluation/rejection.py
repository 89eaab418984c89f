"""What a network is not sure enough of, and is to be called unknown."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from tlkit.errors import UsageError, unknown_name
from tlkit.metrics.calibration import tempered
from tlkit.metrics.coverage import choose_limit, coverage_table, parse_rule
from tlkit.runs.result_dir import Run
from tlkit.tasks.prediction import ScoredSplit

UNKNOWN = "unknown"
MEASURES = ("confidence", "distance")


@dataclass(frozen=True)
class Unknown:
    """From where on an answer is called unknown.

    Attributes:
        rule: By which the limit was set, as text.
        by: One of MEASURES.
        limit: A certainty; what is below it is unknown. For "distance" it is the
            negative of one.
    """

    rule: str
    by: str
    limit: float

    def __str__(self) -> str:
        if self.by == "distance":
            return f"feature distance above {-self.limit:.3f}"
        return f"confidence below {self.limit:.3f}"


def certainties(
    scores: np.ndarray, temperature: float, distances: np.ndarray | None
) -> dict[str, np.ndarray]:
    """How sure the answers are, by each measure that there is.

    Args:
        scores: float [N, n], rows summing to 1.
        temperature: From `confidence.fit_temperature`.
        distances: float [N], from `familiarity`, if they were asked for.

    Returns:
        float [N] each, the surer the higher.
    """
    found = {"confidence": tempered(scores, temperature).max(axis=1)}
    return found if distances is None else {**found, "distance": -distances}


def check_rule(run: Run, text: str, by: str) -> None:
    """Refuse what cannot be meant, before anything slow begins."""
    rule = parse_rule(text)
    if by not in MEASURES:
        error = unknown_name("measure of certainty (unknown_by)", by, MEASURES)
        raise error
    if run.task.multi_label:
        raise UsageError(
            "With several labels an image, unknown has no meaning: what shows nothing "
            "that was learned gets no label.",
            hint="Leave --unknown away.",
        )
    if UNKNOWN in run.labels and rule is not None:
        raise UsageError(
            f"There is a class {UNKNOWN!r} already, so the answer would mean both.",
            hint="Leave --unknown away, or give the class another name.",
        )
    if by == "distance" and (rule is None or rule.kind == "confidence"):
        raise UsageError(
            f"Nothing is left for --unknown-by distance to decide with {text!r}.",
            hint="Use it with coverage:SHARE or accuracy:SHARE.",
        )


def choose_unknown(
    text: str, by: str, val: ScoredSplit, temperature: float
) -> dict[str, Any] | None:
    """Set the limit on the validation side."""
    rule = parse_rule(text)
    if rule is None:
        return None
    right = val.scores.argmax(axis=1) == val.truth.argmax(axis=1)
    certainty = certainties(val.scores, temperature, val.distances)[by]
    limit = choose_limit(rule, coverage_table(right, certainty))
    return {"rule": str(rule), "by": by, "limit": limit}
