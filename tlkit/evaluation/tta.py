"""Test-time views: which views of an image a network's answers are averaged over.

Two views, the plain image and its horizontal flip, seldom do harm where flips
are right; more are the same lightly changed. They can turn right answers wrong as well
(Shanmugam et al. 2021, arXiv 2011.11156), so both scores are always told.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np

from tlkit.errors import UsageError
from tlkit.evaluation.decision import Decision
from tlkit.inputs.augment import POLICIES, without_flips
from tlkit.inputs.views import HFLIP, PLAIN, ViewMaker
from tlkit.runs.result_dir import Run
from tlkit.tasks.prediction import ScoredSplit

MOST = 32


def choose_views(run: Run, tta: int | None) -> tuple[int, ...]:
    """Which views of each image are asked for."""
    if tta is None:
        return (PLAIN,)
    if not 2 <= tta <= MOST:
        raise UsageError(f"tta: expected 2 to {MOST} views, got {tta}.")
    hflip = run.config.inputs.hflip
    if hflip:
        return (PLAIN, HFLIP, *range(1, tta - 1))
    if tta == 2:
        found = run.info.get("hflip", {}).get("reason", "")
        why = (
            "flips would be wrong here"
            if hflip is False
            else ("this run has not found out whether flips are right")
        )
        raise UsageError(
            f"tta: 2 views are the image and its horizontal flip, and {why}. {found}",
            hint="3 views and more take shifted, turned and scaled ones instead.",
        )
    return (PLAIN, *range(1, tta))


def describe(views: tuple[int, ...]) -> str:
    """What the views are, for people."""
    names = ["plain", "flipped"][: 1 + (HFLIP in views)]
    changed = len(views) - len(names)
    if changed:
        names.append(f"{changed} lightly changed")
    return " and ".join([", ".join(names[:-1]), names[-1]] if names[1:] else names)


def compare_views(
    decision: Decision, side: ScoredSplit, scores: np.ndarray, kinds: str
) -> dict[str, Any]:
    """What averaging answers over several views changes."""
    averaged = dataclasses.replace(side, scores=scores.mean(axis=1))
    before, after = (decision.right(one) for one in (side, averaged))
    figures = decision.measure(averaged)
    return {
        "n": scores.shape[1],
        "kinds": kinds,
        **{name: figures[name] for name in decision.headline},
        "turned_right": int((after & ~before).sum()),
        "turned_wrong": int((before & ~after).sum()),
    }


def view_maker(run: Run, source: Path) -> ViewMaker:
    """What makes the views of a run's images."""
    inputs, policy = run.config.inputs, POLICIES["light"]
    if not inputs.hflip:
        policy = without_flips(policy)
    return ViewMaker(source, run.size, inputs.resize, policy, run.config.train.seed)
