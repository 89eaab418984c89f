"""A run's postprocessing: selected on its validation split, recorded in run.json."""

from __future__ import annotations

from typing import Any

from tlkit.errors import RunError, UsageError
from tlkit.metrics.calibration import fit_temperature
from tlkit.metrics.label_thresholds import choose_thresholds
from tlkit.metrics.rejection import choose_threshold, coverage_table, parse_rule
from tlkit.runs.run import Run
from tlkit.tasks.multiclass import UNKNOWN, Multiclass, Rejection
from tlkit.tasks.multilabel import Multilabel
from tlkit.tasks.postprocessing import Postprocessing
from tlkit.tasks.prediction import ScoredSplit

KEY = "postprocessing"


def select_on_val(run: Run, val: ScoredSplit) -> Run:
    """Choose temperature or label thresholds on the validation split, and record them.

    Args:
        run: A trained run.
        val: Its validation split.

    Returns:
        The updated run.
    """
    chosen: dict[str, Any] = {"selected_on": "val"}
    if run.task.multi_label:
        chosen["thresholds"] = choose_thresholds(val.truth > 0, val.scores, run.labels)
    else:
        chosen["temperature"] = fit_temperature(val.truth.argmax(axis=1), val.scores)
    return run.update(**{KEY: chosen})


def postprocessing_of(run: Run) -> Postprocessing:
    """Return the recorded postprocessing of a run.

    Args:
        run: One that `select_on_val` has updated.

    Returns:
        A Multiclass or Multilabel.

    Raises:
        RunError: run.json does not have what was selected.
    """
    try:
        recorded = run.info.get(KEY, {})
        if not run.task.multi_label:
            rejection = recorded.get("rejection")
            return Multiclass(
                run.labels,
                float(recorded.get("temperature", 1.0)),
                Rejection(**rejection) if rejection else None,
            )
        chosen = {r["name"]: float(r["threshold"]) for r in recorded["thresholds"]}
        return Multilabel(run.labels, tuple(chosen[name] for name in run.labels))
    except (KeyError, TypeError, ValueError) as error:
        raise RunError(
            f"{run.directory}/run.json has no valid {KEY}: {error!r}.",
            hint="Restore the file, or train again.",
        ) from error


def check_rejection(run: Run, text: str) -> None:
    """Refuse a rejection rule that a run cannot have, before anything slow begins."""
    rule = parse_rule(text)
    if run.task.multi_label:
        raise UsageError(
            "A multi-label run has no rejection rule, got unknown "
            f"{text}: an image that shows no known class gets no label anyway.",
            hint="Remove --unknown.",
        )
    if UNKNOWN in run.labels and rule is not None:
        raise UsageError(
            f"There is a class {UNKNOWN!r} already, so the label would mean both.",
            hint="Remove --unknown, or rename the class.",
        )


def select_rejection(run: Run, text: str, val: ScoredSplit) -> Run:
    """Choose the rejection threshold on the validation split, and record it."""
    rule, plain = parse_rule(text), postprocessing_of(run)
    rejection = None
    if rule is not None and isinstance(plain, Multiclass):
        table = coverage_table(
            plain.correct(val), plain.calibrated(val.scores), val.groups
        )
        rejection = {"rule": str(rule), "threshold": choose_threshold(rule, table)}
    return run.update(**{KEY: {**run.info.get(KEY, {}), "rejection": rejection}})
