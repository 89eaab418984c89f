"""Test-time augmentation: predictions averaged over views of an image.

Two views, the plain image and its horizontal flip, seldom harm where a flipped image
keeps its class; more views are slightly augmented. Averaging can also break correct
predictions (Shanmugam et al. 2021, arXiv 2011.11156), so both scores are reported.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np

from tlkit.errors import UsageError
from tlkit.inputs.augment import POLICIES, without_flips
from tlkit.inputs.views import HFLIP, PLAIN, ViewMaker
from tlkit.runs.run import Run
from tlkit.tasks.postprocessing import Postprocessing
from tlkit.tasks.prediction import ScoredSplit

MOST = 32


def choose_views(run: Run, tta: int | None) -> tuple[int, ...]:
    """Choose the views of each image; view 0 is the plain one and comes first."""
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
            "a flipped image would have another class here"
            if hflip is False
            else ("this run has not checked flips")
        )
        raise UsageError(
            f"tta: 2 views are the image and its horizontal flip, and {why}. {found}",
            hint="3 views and more take shifted, rotated and scaled ones instead.",
        )
    return (PLAIN, *range(1, tta))


def describe(views: tuple[int, ...]) -> str:
    """Describe the views in words."""
    names = ["plain", "flipped"][: 1 + (HFLIP in views)]
    changed = len(views) - len(names)
    if changed:
        names.append(f"{changed} lightly changed")
    return " and ".join([", ".join(names[:-1]), names[-1]] if names[1:] else names)


def compare_views(
    postprocessing: Postprocessing, plain: ScoredSplit, scores: np.ndarray, kinds: str
) -> dict[str, Any]:
    """Compare averages over views, scores float [N, K, n], with the plain images."""
    averaged = dataclasses.replace(plain, scores=scores.mean(axis=1))
    before, after = (postprocessing.correct(one) for one in (plain, averaged))
    metrics = postprocessing.measure(averaged)
    return {
        "n": scores.shape[1],
        "kinds": kinds,
        **{name: metrics[name] for name in postprocessing.headline},
        "corrected": int((after & ~before).sum()),
        "broken": int((before & ~after).sum()),
    }


def view_maker(run: Run, source: Path) -> ViewMaker:
    """Return the maker of the views of a run's images."""
    inputs, policy = run.config.inputs, POLICIES["light"]
    if not inputs.hflip:
        policy = without_flips(policy)
    return ViewMaker(source, run.size, inputs.resize, policy, run.config.train.seed)
