"""The learning rate range test of Smith (2017, arXiv 1506.01186).

Training steps at a learning rate that rises from far too small to far too large, and
the loss at each. Where it falls fastest, the learning rate is high and still safe.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pandas as pd
from scipy.ndimage import gaussian_filter1d

from tlkit import files
from tlkit.backbones.spec import short_name
from tlkit.cache_root import cap_bytes
from tlkit.config import (
    Config,
    Scope,
    TrainConfig,
    build_config,
    options_of,
    parse_override,
    resolve,
)
from tlkit.dataset.manifest import Manifest
from tlkit.device import choose_device, choose_precision
from tlkit.errors import ConfigError, RunError
from tlkit.model.phases import ONE
from tlkit.progress import SILENT, Progress, track
from tlkit.reports import plots
from tlkit.tasks.task import Task
from tlkit.training.augmentation_check import decide
from tlkit.training.auto_cut import with_cut
from tlkit.training.data import build_pipeline
from tlkit.training.finetune import check_labels, read_data
from tlkit.training.fit import close, compile_model
from tlkit.training.network import build_network

TABLE, PLOT = "lr.csv", "lr.png"
LOWEST, HIGHEST, STEPS = 1e-7, 10.0, 100
# The loss is smoothed by a Gaussian of this standard deviation, in steps, which divides
# the standard deviation of its noise by this factor.
WIDTH = 3.0
NOISE_LEFT = math.sqrt(1 / (2 * math.sqrt(math.pi) * WIDTH))
# The first steps learn next to nothing: their losses show the noise. A fall of the loss
# counts if it is several times as large.
IDLE, CLEAR = 20, 4.0
# A loss of several times the least one does not come back.
DIVERGED = 4.0


@dataclasses.dataclass(frozen=True)
class LRRangeTest:
    """The result of a learning rate range test.

    Attributes:
        directory: Holds lr.csv and lr.png.
        learning_rates: Of each step, rising.
        losses: Of each step, before it was taken.
        smoothed: The losses, smoothed over neighboring steps.
        steepest: The learning rate where the smoothed loss falls fastest.
        tenth: A tenth of the learning rate with the least smoothed loss.
    """

    directory: Path
    learning_rates: list[float]
    losses: list[float]
    smoothed: list[float]
    steepest: float
    tenth: float


def lr_find(
    data: str | Path | None = None,
    out: str | Path | None = None,
    *,
    recipe: str | Path | None = None,
    overrides: Sequence[str] = (),
    overwrite: bool = False,
    progress: Progress = SILENT,
    **options: Any,
) -> LRRangeTest:
    """Find a learning rate by a range test.

    Trains what `finetune` would train in one phase above the freeze point, by default
    the head, on the same cached features. Settings of a recipe about the course of the
    learning rate or the length of the training have no effect.

    Args:
        data: Data set directory; may come from the recipe.
        out: Folder to make; runs/DATA-BACKBONE-lr if None.
        recipe: As for `finetune`.
        overrides: As for `finetune`.
        overwrite: Replace an earlier test in `out`.
        progress: Receives progress and messages.
        **options: Of `finetune`, without those of config.Scope.COURSE.

    Returns:
        The range test.

    Raises:
        UsageError: No data set was named, or an option is invalid.
        RunError: The loss fell at no learning rate.

    Example:
        >>> tlkit.lr_find("ants", backbone="mobilenet_v2").steepest
    """
    config = _config(data, recipe, overrides, options)
    manifest = read_data(config, "lr-find")
    if config.train.cache:
        cap_bytes()
    check_labels(manifest, config)
    stem = f"{Path(config.data).name}-{short_name(config.model.backbone)}-lr"
    place = Path(out) if out is not None else Path("runs") / stem
    with files.replaced_directory(
        place, marker=TABLE, overwrite=overwrite, what="range test"
    ) as draft:
        rates, losses = _measure(config, manifest, progress)
        smoothed = smooth(losses)
        table = pd.DataFrame(
            {"learning_rate": rates, "loss": losses, "smoothed": smoothed}
        )
        files.write_text(draft / TABLE, table.to_csv(index=False))
        found = suggest(rates, losses)
        marks = dict(zip(("steepest", "least / 10"), found or (), strict=False))
        plots.draw_rates(rates, losses, smoothed.tolist(), marks, draft / PLOT)
    if found is None:
        raise RunError(
            f"The loss fell by more than its noise at no learning rate from "
            f"{LOWEST:g} to {HIGHEST:g}; {place / PLOT} shows it.",
            hint="Try a larger --batch, which has less noise. With --weights none, "
            "there may be nothing to learn so fast.",
        )
    return LRRangeTest(place, rates, losses, smoothed.tolist(), *found)


def smooth(losses: Sequence[float]) -> np.ndarray:
    """Return weighted means over the steps around each step, without a lag."""
    return np.asarray(gaussian_filter1d(np.asarray(losses, float), WIDTH))


def suggest(
    rates: Sequence[float], losses: Sequence[float]
) -> tuple[float, float] | None:
    """Return the steepest learning rate and a tenth of the best, None if no fall."""
    smoothed, idle = smooth(losses), np.asarray(losses[:IDLE])
    least = int(np.argmin(smoothed))
    start = idle.mean()
    noise = idle.std(ddof=1) * math.hypot(NOISE_LEFT, 1 / math.sqrt(IDLE))
    if least < IDLE or start - smoothed[least] <= CLEAR * noise:
        return None
    above = np.flatnonzero(smoothed[:least] >= start)
    first = int(above[-1]) if len(above) else 0
    slopes = np.gradient(smoothed, np.log10(rates))[first : least + 1]
    steepest = rates[first + int(np.argmin(slopes))]
    return float(f"{steepest:.1e}"), float(f"{rates[least] / 10:.1e}")


def _config(
    data: str | Path | None,
    recipe: str | Path | None,
    overrides: Sequence[str],
    options: dict[str, Any],
) -> Config:
    course = options_of(Scope.COURSE)
    given = [name for name, value in options.items() if value is not None]
    given += [parse_override(text)[1] for text in overrides]
    if faults := [
        f"{name}: a range test tries all learning rates, for as long as it takes; "
        "remove it"
        for name in given
        if name in course
    ]:
        raise ConfigError("the options", faults)
    named = {**options, "data": str(data) if data is not None else None}
    config = build_config(recipe=recipe, options=named, overrides=overrides)
    defaults = {name: getattr(TrainConfig(), name) for name in course}
    one = {"phases": ONE, "schedule": "constant", "lr": LOWEST, "epochs": 1}
    train = dataclasses.replace(config.train, **{**defaults, **one})
    return resolve(dataclasses.replace(config, train=train))


def _measure(
    config: Config, manifest: Manifest, progress: Progress
) -> tuple[list[float], list[float]]:
    """Return the learning rate of each step, and the loss before the step."""
    config, _ = with_cut(config, manifest, progress)
    device = choose_device(config.train.device)
    policy = choose_precision(config.train.precision, device)
    with keras.device(device):
        task = Task(len(manifest.labels), manifest.multi_label)
        network = build_network(config, task, device, policy)
        config, _ = decide(config, manifest, network.reference, progress=progress)
        pipeline = build_pipeline(config, manifest, network, progress)
        compile_model(pipeline, config.train, device)
        stream = pipeline.training(0)
        rates, losses = [], []
        planned = np.geomspace(LOWEST, HIGHEST, STEPS).tolist()
        try:
            for rate in track(planned, progress, "Trying learning rates", STEPS):
                pipeline.model.optimizer.learning_rate = rate
                pipeline.model.reset_metrics()
                logs = pipeline.model.train_on_batch(*next(stream), return_dict=True)
                loss = float(logs["loss"])
                if not math.isfinite(loss):
                    break
                rates.append(rate)
                losses.append(loss)
                smoothed = smooth(losses)
                if smoothed[-1] > DIVERGED * smoothed.min():
                    break
        finally:
            close(stream)
    return rates, losses
