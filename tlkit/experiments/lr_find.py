"""A data set and a configuration in, a learning rate to begin with out.

The range test of Smith (2017, arXiv 1506.01186): training steps at a rate that rises
from hopelessly small to far too large, and the loss at each. Where it falls fastest is
a rate that learns well and is still safe.
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
from tlkit.errors import ConfigError, RunError, UsageError
from tlkit.model.phases import ONE
from tlkit.progress import SILENT, Progress, track
from tlkit.reports import plots
from tlkit.tasks.task import Task
from tlkit.training.augmentation_check import decide
from tlkit.training.auto_cut import with_cut
from tlkit.training.data import build_feed
from tlkit.training.finetune import check_labels, check_splits
from tlkit.training.fit import close, compile_model
from tlkit.training.network import build_network

TABLE, PLOT = "lr.csv", "lr.png"
LOWEST, HIGHEST, STEPS = 1e-7, 10.0, 100
# Over how many steps to either side the loss is smoothed, as a standard deviation; and
# by how much that makes it less noisy.
WIDTH = 3.0
CALMED = math.sqrt(1 / (2 * math.sqrt(math.pi) * WIDTH))
# In so many steps at the start next to nothing is learned: they tell the noise. A loss
# has fallen if it did by so many times as much.
IDLE, CLEAR = 20, 4.0
# The loss has left for good where it is so many times the least.
DIVERGED = 4.0


@dataclasses.dataclass(frozen=True)
class RateTest:
    """What a range test has found.

    Attributes:
        directory: Holds lr.csv and lr.png.
        rates: Learning rate of each step, rising.
        losses: At each step.
        smoothed: Likewise, see `smooth`.
        steepest: The rate where the smoothed loss falls fastest.
        tenth: A tenth of the rate where it is least.
    """

    directory: Path
    rates: list[float]
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
) -> RateTest:
    """Find a learning rate by a range test on what `finetune` would train.

    All above the freeze point trains, by default the head, on the same cached features.
    Settings of a recipe that say how the rate goes on, or how long, do not count.

    Args:
        data: What `prepare` wrote; may come from the recipe.
        out: Folder to make; runs/DATA-BACKBONE-lr where not given.
        recipe: As for `finetune`.
        overrides: As for `finetune`.
        overwrite: Whether an earlier test in `out` may be replaced.
        progress: Told of all long work.
        **options: Of `finetune`, without those of config.Scope.COURSE.

    Returns:
        The rates.

    Raises:
        UsageError: No data set was named, or an option cannot be meant.
        RunError: The loss fell at no rate.

    Example:
        >>> tlkit.lr_find("ants", backbone="mobilenet_v2").steepest
    """
    config = _config(data, recipe, overrides, options)
    if config.train.cache:
        cap_bytes()
    manifest = check_splits(Manifest.read(config.data))
    check_labels(manifest, config)
    stem = f"{Path(config.data).name}-{short_name(config.model.backbone)}-lr"
    place = Path(out) if out is not None else Path("runs") / stem
    with files.replaced_directory(
        place, marker=TABLE, overwrite=overwrite, what="range test"
    ) as draft:
        rates, losses = _measure(config, manifest, progress)
        smoothed = smooth(losses)
        table = pd.DataFrame({"rate": rates, "loss": losses, "smoothed": smoothed})
        files.write_text(draft / TABLE, table.to_csv(index=False))
        found = suggest(rates, losses)
        marks = dict(zip(("steepest", "least / 10"), found or (), strict=False))
        plots.draw_rates(rates, losses, smoothed.tolist(), marks, draft / PLOT)
    if found is None:
        raise RunError(
            f"At no rate from {LOWEST:g} to {HIGHEST:g} did the loss fall by more than "
            f"it wavers; {place / PLOT} shows it.",
            hint="A larger --batch wavers less. Or is there nothing to learn so fast, "
            "as with --weights none?",
        )
    return RateTest(place, rates, losses, smoothed.tolist(), *found)


def smooth(losses: Sequence[float]) -> np.ndarray:
    """Weighted means over the steps around each step, so that nothing lags behind."""
    return np.asarray(gaussian_filter1d(np.asarray(losses, float), WIDTH))


def suggest(
    rates: Sequence[float], losses: Sequence[float]
) -> tuple[float, float] | None:
    """Rates to begin with."""
    smoothed, idle = smooth(losses), np.asarray(losses[:IDLE])
    least = int(np.argmin(smoothed))
    start = idle.mean()
    noise = idle.std(ddof=1) * math.hypot(CALMED, 1 / math.sqrt(IDLE))
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
    said = [name for name, value in options.items() if value is not None]
    said += [parse_override(text)[1] for text in overrides]
    faults = [
        f"{name}: a range test tries all rates, for as long as it takes; leave it away"
        for name in said
        if name in options_of(Scope.COURSE)
    ]
    if faults:
        raise ConfigError("the options", faults)
    named = {**options, "data": str(data) if data is not None else None}
    config = build_config(recipe=recipe, options=named, overrides=overrides)
    defaults = {name: getattr(TrainConfig(), name) for name in options_of(Scope.COURSE)}
    one = {"phases": ONE, "schedule": "constant", "lr": LOWEST, "epochs": 1}
    train = dataclasses.replace(config.train, **{**defaults, **one})
    config = resolve(dataclasses.replace(config, train=train))
    if not config.data:
        raise UsageError(
            "No data set was named.",
            hint="tlkit lr-find DATASET, where DATASET is what tlkit prepare wrote.",
        )
    return config


def _measure(
    config: Config, manifest: Manifest, progress: Progress
) -> tuple[list[float], list[float]]:
    """The rate of each step, and the loss there before it was taken."""
    config, _ = with_cut(config, manifest, progress)
    device = choose_device(config.train.device)
    policy = choose_precision(config.train.precision, device)
    with keras.device(device):
        task = Task(len(manifest.labels), manifest.multi_label)
        network = build_network(config, task, device, policy)
        config, _ = decide(
            config, manifest, network.reference, device=device, progress=progress
        )
        feed = build_feed(
            config,
            manifest,
            network.trained,
            network.reference,
            device=device,
            progress=progress,
        )
        compile_model(feed, config.train, device)
        stream = feed.training(0)
        rates, losses = [], []
        planned = np.geomspace(LOWEST, HIGHEST, STEPS).tolist()
        try:
            for rate in track(planned, progress, "Trying rates", STEPS):
                feed.model.optimizer.learning_rate = rate
                feed.model.reset_metrics()
                logs = feed.model.train_on_batch(*next(stream), return_dict=True)
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
