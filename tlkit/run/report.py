"""Probabilities for a split in, the files that tell how good they are out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from tlkit import files
from tlkit.dataset.candidate import BETWEEN
from tlkit.dataset.manifest import Example, Manifest
from tlkit.inputs.batches import plain_batches
from tlkit.inputs.views import ViewMaker
from tlkit.run import plots
from tlkit.run.decision import Decision, decision_of
from tlkit.run.record import Run
from tlkit.workers import Aside


def report(
    run: Run, manifest: Manifest, split: str, scores: np.ndarray, draw: Aside
) -> dict[str, Any]:
    """Write what there is to say of the answers for a split.

    Args:
        run: Gets the files that `tlkit.evaluate` names.
        manifest: The data set.
        split: Not empty.
        scores: float32 [N, n], class probabilities in the order of the manifest.
        draw: Makes the pictures.

    Returns:
        What metrics.json holds; see `tlkit.evaluate`.
    """
    examples, decision = manifest.of(split), decision_of(run)
    truth = manifest.shares(examples)
    groups = [example.group for example in examples]
    metrics = {
        "split": split,
        "chose_the_epoch": split == "val",
        **decision.measure(truth, scores, groups, split),
    }
    folder = run.directory / "evaluation" / split
    folder.mkdir(parents=True, exist_ok=True)
    wrong = _write_answers(folder, examples, truth, scores, run.labels, decision)
    decision.draw(metrics, folder, draw)
    shown = wrong[: plots.GALLERY]
    captions = [
        f"{decision.caption(truth[i], scores[i])}\n{Path(examples[i].path).name}"
        for i in shown
    ]
    maker = maker_of(run, manifest)
    held = [examples[i] for i in shown]
    batches = plain_batches(maker, held, len(held) or 1, workers=0)
    pictures = next(batches, np.empty(0))
    draw(plots.draw_gallery, pictures, captions, folder / "mistakes.png")
    for place in (folder, run.directory):
        files.write_json(place / "metrics.json", metrics)
    return metrics


def maker_of(run: Run, manifest: Manifest) -> ViewMaker:
    """What reads the pictures of a data set as the network of a run takes them."""
    return ViewMaker(manifest.source, run.size, run.config.inputs.resize)


def _write_answers(
    folder: Path,
    examples: Sequence[Example],
    truth: np.ndarray,
    scores: np.ndarray,
    labels: Sequence[str],
    decision: Decision,
) -> np.ndarray:
    """Write every answer, and the wrong ones; returns these, the surest first."""
    names = np.array(labels, object)
    weights = decision.weights(truth, scores)
    table = pd.DataFrame(
        {
            "id": [example.id for example in examples],
            "path": [example.path for example in examples],
            "label": [BETWEEN.join(names[row > 0]) for row in truth],
            "predicted": [answer.label for answer in decision.answers(scores)],
            "probability": weights,
            **{f"p_{label}": scores[:, i] for i, label in enumerate(labels)},
        }
    )
    files.write_text(folder / "predictions.csv", table.to_csv(index=False))
    differ = np.flatnonzero((table["label"] != table["predicted"]).to_numpy())
    wrong: np.ndarray = differ[np.argsort(-weights[differ], kind="stable")]
    files.write_text(folder / "mistakes.csv", table.iloc[wrong].to_csv(index=False))
    return wrong
