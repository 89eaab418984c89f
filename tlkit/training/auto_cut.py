"""The automatic choice of the cut: linear probes on the training split."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from tlkit.config import AUTO_CUT, Config, resolve
from tlkit.dataset.manifest import Manifest
from tlkit.errors import RunError
from tlkit.features.cut_features import GOOD
from tlkit.metrics.intervals import accuracy, one_standard_error, standard_error
from tlkit.model.head import parse_head
from tlkit.progress import Progress
from tlkit.training.cut_probes import Subjects, probe_cuts


def with_cut(
    config: Config, manifest: Manifest, progress: Progress
) -> tuple[Config, dict[str, Any]]:
    """Choose the cut by measuring, where the configuration has "auto".

    Args:
        config: Resolved; its cut may be "auto".
        manifest: The data set; its training split alone is used.
        progress: Receives notes, warnings and progress.

    Returns:
        The configuration with a layer as its cut, and the measurements for a record,
        {} where the cut was named.

    Raises:
        RunError: A class has a single training image, so nothing can be measured.
    """
    if config.model.cut != AUTO_CUT:
        return config, {}
    cut, account = choose_cut(config, manifest, progress)
    model = dataclasses.replace(config.model, cut=cut)
    return resolve(dataclasses.replace(config, model=model)), account


def choose_cut(
    config: Config, manifest: Manifest, progress: Progress
) -> tuple[str, dict[str, Any]]:
    """Choose the lowest cut that is not significantly worse than the best."""
    # By a linear probe on the pooled features, and nested cross-validation on the
    # training split: the validation split is left for what is trained.
    pooling = parse_head(config.model.head)[0].kind
    try:
        seed = config.train.seed
        subjects = Subjects.of(manifest, ("train",), folds=None, seed=seed)
    except RunError as error:
        raise RunError(
            error.message, hint=f"{error.hint} Or name the cut instead of --cut auto."
        ) from error
    found, failed = probe_cuts(config, [GOOD], [pooling], subjects, progress=progress)
    for cut, why in failed.items():
        progress.warn(f"{cut} is not measured: {why}")
    shares = [
        accuracy(one.scores.argmax(axis=1) == subjects.targets, subjects.groups)
        for one in found
    ]
    values = [share.value for share in shares]
    best = int(np.argmax(values))
    noise = standard_error(shares[best])
    selected = one_standard_error(values, noise, [one.at.flops for one in found])
    names = [one.at.cut for one in found]
    line = ", ".join(f"{n} {v:.3f}" for n, v in zip(names, values, strict=True))
    reason = "the best"
    if selected != best:
        share = found[selected].at.flops / found[best].at.flops
        reason = (
            f"the lowest within one standard error ({noise:.3f}) of {names[best]}, "
            f"with {share:.0%} of its operations"
        )
    progress.note(
        f"Cut: {line}, by a linear probe and {subjects.folds} folds of the training "
        f"split. Selected: {names[selected]}, {reason}"
    )
    account = {
        "cut": names[selected],
        "best": names[best],
        "standard_error": noise,
        "folds": subjects.folds,
        "accuracy": dict(zip(names, values, strict=True)),
    }
    return names[selected], account
