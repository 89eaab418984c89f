"""The decision whether horizontally flipped images keep their class.

Photos may be flipped; writing, digits, arrows and hands may not. Class names decide
some cases. For the rest, a linear probe is fitted on plain images and predicts other
images, both plain and flipped: where flips do no harm, it is correct as often on both.
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

from tlkit.config import Config, inputs_without_flips
from tlkit.dataset.manifest import Manifest
from tlkit.dataset.splitting.folds import most_folds, stratified_folds
from tlkit.features.flip_features import flip_features, sample
from tlkit.model.classifier import Classifier
from tlkit.progress import Progress

FOLDS = 5
# The rate of false alarms on data that flips do no harm to.
LEVEL = 0.01
SEVERAL = (
    "Images of several labels are not tested, and photos may be flipped; set "
    "--no-hflip for writing, arrows and the like."
)
TOO_FEW = (
    "There are too few images to test, and photos may be flipped; set --no-hflip for "
    "writing, arrows and the like."
)
# A test of predictions sees harm only where flips change these.
BOTH_WAYS = (
    "A class that is recognized both ways may still change when flipped, as writing "
    "does: set --no-hflip then."
)
# Regularization strengths of the probe, in numbers of features.
STRENGTHS = (0.01, 0.1, 1.0, 10.0)
MIRRORED_WORDS = {"left": "right", "right": "left", "l": "r", "r": "l"}


@dataclasses.dataclass(frozen=True)
class Verdict:
    """The verdict on horizontal flips, with a sentence for the user.

    `numbers` has the images and folds, accuracy and flipped_accuracy of the probe, the
    lost and gained predictions, p, and per_class; it is empty where names decided.
    """

    harmless: bool
    reason: str
    numbers: dict[str, Any] = dataclasses.field(default_factory=dict)


def decide(
    config: Config,
    manifest: Manifest,
    reference: Classifier,
    *,
    progress: Progress,
) -> tuple[Config, Verdict | None]:
    """Decide about horizontal flips, where the configuration leaves that open.

    Args:
        config: Resolved.
        manifest: The data set; only its training split is used.
        reference: The network in float32.
        progress: Receives the decision and its reason.

    Returns:
        The configuration with `hflip` and augmentation as decided, and the verdict;
        None where the configuration has decided.
    """
    inputs = config.inputs
    if inputs.hflip is not None:
        return config, None
    verdict = verdict_by_names(manifest.labels)
    if verdict is None and manifest.multi_label:
        verdict = Verdict(True, SEVERAL)
    elif verdict is None:
        chosen = sample(manifest, config.train.seed)
        groups = np.array([example.group for example in chosen])
        rows = flip_features(config, manifest, chosen, reference, progress)
        targets = manifest.targets(chosen)
        verdict = verdict_by_probe(*rows, targets, groups, manifest.labels)
    decision = "yes" if verdict.harmless else "no"
    progress.note(f"Horizontal flips: {decision}. {verdict.reason}")
    decided = dataclasses.replace(inputs, hflip=True)
    if not verdict.harmless:
        decided = inputs_without_flips(inputs)
    return dataclasses.replace(config, inputs=decided), verdict


def verdict_by_names(labels: Sequence[str]) -> Verdict | None:
    """Return a verdict where the class names allow one."""
    words = {tuple(_words(label)): label for label in labels}
    for parts, label in words.items():
        other = words.get(tuple(MIRRORED_WORDS.get(part, part) for part in parts))
        if other is not None and other != label:
            return Verdict(False, f"{label!r} flipped would be {other!r}.")
    if len(labels) >= 3:
        for what, fits in (("numbers", str.isdecimal), ("letters", _is_letter)):
            if all(fits(label) for label in labels):
                return Verdict(
                    False,
                    f"All classes are named by {what}, so the images are taken for "
                    "writing; set --hflip if they are not.",
                )
    return None


def verdict_by_probe(
    plain: np.ndarray,
    flipped: np.ndarray,
    targets: np.ndarray,
    groups: np.ndarray,
    labels: Sequence[str],
) -> Verdict:
    """Return a verdict by the predictions of a probe for plain and flipped images.

    Features are float32 [N, C], targets int [N], groups [N]. No probe is fitted on the
    image or its group. Harm is a loss (plain correct, flipped incorrect) that is more
    frequent than the reverse, by McNemar's exact test, one-sided.

    Returns:
        The verdict; harmless where nothing speaks against it.
    """
    folds = min(FOLDS, most_folds(targets, groups))
    if folds < 2 or len(np.unique(targets)) < 2:
        return Verdict(True, TOO_FEW)
    correct = np.zeros((2, len(targets)), bool)
    for fold in stratified_folds(targets, groups, folds, seed=0):
        probe = _probe(plain.shape[1]).fit(plain[fold.train], targets[fold.train])
        for row, features in zip(correct, (plain, flipped), strict=True):
            row[fold.held] = probe.predict(features[fold.held]) == targets[fold.held]
    outcomes = {
        "both_correct": correct[0] & correct[1],
        "lost": correct[0] & ~correct[1],
        "gained": correct[1] & ~correct[0],
    }
    counts = {
        name: np.bincount(targets[where], minlength=len(labels))
        for name, where in outcomes.items()
    }
    images = np.bincount(targets, minlength=len(labels))
    lost, gained = int(counts["lost"].sum()), int(counts["gained"].sum())
    p = 1.0
    if lost + gained:
        p = float(binomtest(lost, lost + gained, alternative="greater").pvalue)
    accuracy, flipped_accuracy = (float(share) for share in correct.mean(axis=1))
    reason = (
        f"Of {len(targets)} training images, a probe fitted on others is correct on "
        f"{accuracy:.1%} as they are and on {flipped_accuracy:.1%} flipped ({lost} "
        f"lost, {gained} gained, p = {p:.2g})."
    )
    worst = int(np.argmax(counts["lost"]))
    if lost:
        reason += f" Most are lost in {labels[worst]!r}: {counts['lost'][worst]} of "
        reason += f"{images[worst]}."
    if p >= LEVEL:
        reason += f" {BOTH_WAYS}"
    per_class = {
        label: {"images": int(images[i])} | {k: int(v[i]) for k, v in counts.items()}
        for i, label in enumerate(labels)
    }
    numbers = {
        "images": len(targets),
        "folds": folds,
        "accuracy": accuracy,
        "flipped_accuracy": flipped_accuracy,
        "lost": lost,
        "gained": gained,
        "p": p,
        "per_class": per_class,
    }
    return Verdict(p >= LEVEL, reason, numbers)


def _probe(features: int) -> Any:
    # On few images as good as logistic regression, and a hundred times as fast.
    strengths = [strength * features for strength in STRENGTHS]
    return make_pipeline(StandardScaler(), RidgeClassifierCV(strengths))


def _words(label: str) -> list[str]:
    spaced = re.sub(r"([a-z])([A-Z])", r"\1 \2", label)
    return re.findall(r"[^\W_]+", spaced.lower())


def _is_letter(label: str) -> bool:
    return len(label) == 1 and label.isalpha()
