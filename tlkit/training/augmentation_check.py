"""The decision whether horizontally flipped images keep their class.

Photos may be flipped; writing, digits, arrows and hands may not. Class names tell some
of it. For the rest, a linear probe learns from the images as they are and answers for
others of them, both as they are and flipped: where flipping changes no answer, it is
right as often on both.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy.stats import binomtest
from sklearn.linear_model import RidgeClassifierCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from tlkit import files
from tlkit.config import Config, inputs_without_flips
from tlkit.dataset.manifest import Manifest
from tlkit.dataset.splitting.folds import most_folds, stratified_folds
from tlkit.features.flip_features import flip_features, sample
from tlkit.model.classifier import Classifier
from tlkit.progress import Progress
from tlkit.runs.result_dir import Run

FOLDS = 5
# How seldom the test may be wrong about data that flipping does nothing to.
LEVEL = 0.01
SEVERAL = (
    "Images of several labels are not tried out, and photos may be flipped; "
    "--no-hflip for writing, arrows and the like."
)
# Strengths of the probe's regularisation, in features: it chooses among them.
STRENGTHS = (0.01, 0.1, 1.0, 10.0)
SIDES = {"left": "right", "right": "left", "l": "r", "r": "l"}


@dataclasses.dataclass(frozen=True)
class Verdict:
    """The verdict on horizontal flips, with its reason.

    Attributes:
        harmless: Whether a flipped image still belongs to its class.
        reason: A sentence for the user.
        numbers: What was measured: images, folds, accuracy and flipped_accuracy of
            the probe, lost and gained answers, p; empty where names decided.
    """

    harmless: bool
    reason: str
    numbers: dict[str, Any] = dataclasses.field(default_factory=dict)


def settle(
    run: Run,
    manifest: Manifest,
    reference: Classifier,
    *,
    progress: Progress,
) -> Run:
    """Decide for a run, unless that was done already, and put it on record.

    Args:
        run: The run.
        manifest: The data set; only its training side is looked at.
        reference: The network in float32.
        progress: Told of the decision and its reason.

    Returns:
        The run with its configuration as decided, written to config.yaml, and the
        verdict in run.json.
    """
    config, verdict = decide(run.config, manifest, reference, progress=progress)
    if verdict is None:
        return run
    files.write_text(run.directory / "config.yaml", config.to_yaml())
    run = dataclasses.replace(run, config=config)
    return run.update(hflip=dataclasses.asdict(verdict))


def decide(
    config: Config,
    manifest: Manifest,
    reference: Classifier,
    *,
    progress: Progress,
) -> tuple[Config, Verdict | None]:
    """Find out whether horizontal flips are right, unless that is said already.

    Args:
        config: Resolved.
        manifest: The data set; only its training side is looked at.
        reference: The network in float32.
        progress: Told of the decision and its reason.

    Returns:
        The configuration with `hflip` and augmentation as decided, and why; None
        where there was nothing to decide.
    """
    inputs = config.inputs
    if inputs.hflip is not None:
        return config, None
    verdict = judge_names(manifest.labels)
    if verdict is None and manifest.multi_label:
        verdict = Verdict(True, SEVERAL)
    elif verdict is None:
        chosen = sample(manifest, config.train.seed)
        groups = np.array([example.group for example in chosen])
        rows = flip_features(config, manifest, chosen, reference, progress)
        verdict = judge_rows(*rows, manifest.targets(chosen), groups)
    said = "yes" if verdict.harmless else "no"
    progress.note(f"Horizontal flips: {said}. {verdict.reason}")
    decided = dataclasses.replace(inputs, hflip=True)
    if not verdict.harmless:
        decided = inputs_without_flips(inputs)
    return dataclasses.replace(config, inputs=decided), verdict


def judge_names(labels: Sequence[str]) -> Verdict | None:
    """What the class names say."""
    words = {tuple(_words(label)): label for label in labels}
    for parts, label in words.items():
        other = words.get(tuple(SIDES.get(part, part) for part in parts))
        if other is not None and other != label:
            return Verdict(False, f"{label!r} flipped would be {other!r}.")
    if len(labels) >= 3:
        for what, fits in (("numbers", str.isdecimal), ("letters", _is_letter)):
            if all(fits(label) for label in labels):
                return Verdict(
                    False,
                    f"All classes are named by {what}, so the images are taken for "
                    "writing; --hflip if they are not.",
                )
    return None


def judge_rows(
    plain: np.ndarray, flipped: np.ndarray, targets: np.ndarray, groups: np.ndarray
) -> Verdict:
    """What a probe that learns from plain images says of flipped ones.

    Each image is answered for by a linear probe that has seen neither it nor others
    of its group, once plain and once flipped. Harm is a flipped image that is
    wrong where the plain one was right, more often than the reverse (McNemar's exact
    test, one-sided).

    Args:
        plain: float32 [N, C], features.
        flipped: float32 [N, C], of the flipped images.
        targets: int [N], the class of each.
        groups: [N], what must not be parted.

    Returns:
        The verdict; harmless where nothing speaks against it.
    """
    folds = min(FOLDS, most_folds(targets, groups))
    if folds < 2 or len(np.unique(targets)) < 2:
        return Verdict(
            True,
            "There are too few images to find out, and photos may be flipped; "
            "--no-hflip for writing, arrows and the like.",
        )
    right = np.zeros((2, len(targets)), bool)
    for learned, held in stratified_folds(targets, groups, folds, seed=0):
        probe = _probe(plain.shape[1]).fit(plain[learned], targets[learned])
        for row, features in zip(right, (plain, flipped), strict=True):
            row[held] = probe.predict(features[held]) == targets[held]
    lost, gained = int((right[0] & ~right[1]).sum()), int((right[1] & ~right[0]).sum())
    p = 1.0
    if lost + gained:
        p = float(binomtest(lost, lost + gained, alternative="greater").pvalue)
    accuracy, flipped_accuracy = (float(share) for share in right.mean(axis=1))
    return Verdict(
        p >= LEVEL,
        f"Of {len(targets)} training images, a probe that learned from others is "
        f"right on {accuracy:.1%} as they are and on {flipped_accuracy:.1%} flipped "
        f"({lost} lost, {gained} gained, p = {p:.2g}).",
        {
            "images": len(targets),
            "folds": folds,
            "accuracy": accuracy,
            "flipped_accuracy": flipped_accuracy,
            "lost": lost,
            "gained": gained,
            "p": p,
        },
    )


def _probe(features: int) -> Any:
    # On few images it is as good as logistic regression, and a hundred times as fast.
    strengths = [strength * features for strength in STRENGTHS]
    return make_pipeline(StandardScaler(), RidgeClassifierCV(strengths))


def _words(label: str) -> list[str]:
    spaced = re.sub(r"([a-z])([A-Z])", r"\1 \2", label)
    return re.findall(r"[^\W_]+", spaced.lower())


def _is_letter(label: str) -> bool:
    return len(label) == 1 and label.isalpha()
