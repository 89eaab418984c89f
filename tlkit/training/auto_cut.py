"""A run whose cut is to be found out in, the same with a cut that was measured, out."""

from __future__ import annotations

import dataclasses
from typing import Any, NamedTuple

import numpy as np

from tlkit import files
from tlkit.config import AUTO_CUT, Config, resolve
from tlkit.dataset.manifest import Manifest
from tlkit.errors import RunError
from tlkit.features.cut_features import GOOD
from tlkit.metrics.intervals import accuracy, one_standard_error, standard_error
from tlkit.model.head import parse_head
from tlkit.progress import Progress
from tlkit.runs.result_dir import Run
from tlkit.training.cut_probes import Subjects, probe_cuts


class CutChoice(NamedTuple):
    """A cut, and what has decided for it, for records."""

    cut: str
    account: dict[str, Any]


def settle_cut(run: Run, manifest: Manifest, progress: Progress) -> Run:
    """Find the cut out, if that was asked for, and write it down."""
    config, account = with_cut(run.config, manifest, progress)
    if not account:
        return run
    files.write_text(run.directory / "config.yaml", config.to_yaml())
    return dataclasses.replace(run, config=config).update(cut_choice=account)


def with_cut(
    config: Config, manifest: Manifest, progress: Progress
) -> tuple[Config, dict[str, Any]]:
    """The same configuration with a cut.

    Args:
        config: Resolved; its cut may be "auto".
        manifest: As for `choose_cut`.
        progress: Likewise.

    Returns:
        The configuration, and what has decided, {} if the cut was named.
    """
    if config.model.cut != AUTO_CUT:
        return config, {}
    chosen = choose_cut(config, manifest, progress)
    model = dataclasses.replace(config.model, cut=chosen.cut)
    return resolve(dataclasses.replace(config, model=model)), chosen.account


def choose_cut(config: Config, manifest: Manifest, progress: Progress) -> CutChoice:
    """The lowest cut that is as good as the best, but for chance.

    A linear probe on the pooled features at each good cut, by nested cross-validation
    on the training side; the validation side is left to judge what is trained.

    Args:
        config: Resolved but for the cut.
        manifest: The data set; its training side alone is looked at.
        progress: Told of the work, of what was decided, and why.

    Returns:
        The cut.

    Raises:
        RunError: A class has a single training image, so that nothing can be
            measured.
    """
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
        progress.warn(f"{cut} is left out: {why}")
    shares = [
        accuracy(one.scores.argmax(axis=1) == subjects.targets, subjects.groups)
        for one in found
    ]
    values = [share.value for share in shares]
    best = int(np.argmax(values))
    noise = standard_error(shares[best])
    kept = one_standard_error(values, noise, [one.at.flops for one in found])
    names = [one.at.cut for one in found]
    line = ", ".join(f"{n} {v:.3f}" for n, v in zip(names, values, strict=True))
    reason = "the best"
    if kept != best:
        reason = (
            f"the lowest within one standard error ({noise:.3f}) of {names[best]}, "
            f"with {found[kept].at.flops / found[best].at.flops:.0%} of its operations"
        )
    progress.note(
        f"Cut: {line}, by a linear probe and {subjects.folds} folds of the training "
        f"side. Kept: {names[kept]}, {reason}"
    )
    account = {
        "cut": names[kept],
        "best": names[best],
        "standard_error": noise,
        "folds": subjects.folds,
        "accuracy": dict(zip(names, values, strict=True)),
    }
    return CutChoice(names[kept], account)
