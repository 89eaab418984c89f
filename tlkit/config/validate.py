"""A Config whose values have the right types in, what cannot be meant out."""

from __future__ import annotations

from tlkit.backbones import registry
from tlkit.config.options import (
    AUTO_CUT,
    CLASS_WEIGHTS,
    DEVICES,
    ENGINES,
    MONITORS,
    PRECISIONS,
    Config,
    InputsConfig,
    ModelConfig,
    TrainConfig,
)
from tlkit.errors import UsageError
from tlkit.imaging.resize import RESIZES
from tlkit.inputs import augment, mixing
from tlkit.inputs.sampler import BALANCED, FRESH, SAMPLINGS
from tlkit.model import head, optimizers, phases
from tlkit.schema import one_line


def check_all(config: Config, faults: list[str]) -> None:
    """Look for values that have the right type and still cannot be meant."""
    model, inputs, train = config.model, config.inputs, config.train
    choices = {
        "resize": (inputs.resize, RESIZES),
        "mix": (inputs.mix, mixing.MIXES),
        "sampling": (inputs.sampling, SAMPLINGS),
        "schedule": (train.schedule, optimizers.SCHEDULES),
        "monitor": (train.monitor, MONITORS),
        "device": (train.device, DEVICES),
        "precision": (train.precision, PRECISIONS),
        "engine": (train.engine, ENGINES),
        "class_weights": (train.class_weights, CLASS_WEIGHTS),
    }
    for name, (value, known) in choices.items():
        if value not in known:
            faults.append(f"{name}: expected {' | '.join(known)}, got {value!r}")
    for check in (
        lambda: _check_backbone(model),
        lambda: head.parse_head(model.head),
        lambda: _check_hflip(inputs),
        lambda: optimizers.check(
            train.optimizer,
            momentum=train.momentum,
            nesterov=train.nesterov,
            schedule=train.schedule,
            warmup=train.warmup or 0.0,
        ),
        lambda: phases.check(
            train.phases,
            epochs=train.epochs,
            steps=train.steps,
            monitor=train.monitor,
        ),
    ):
        try:
            check()
        except UsageError as error:
            faults.append(one_line(error))
    bounds = {
        "size": (model.size, 16, 4096),
        "batch": (inputs.batch, 1, 65536),
        "workers": (inputs.workers, 0, 1024),
        "epochs": (train.epochs, 1, 100_000),
        "patience": (train.patience, 0, 100_000),
        "lr_patience": (train.lr_patience, 0, 100_000),
        "lr": (train.lr, 1e-12, 1e3),
        "warmup": (train.warmup, 0.0, 0.9),
        "momentum": (train.momentum, 0.0, 0.9999),
        "weight_decay": (train.weight_decay, 0.0, 1.0),
        "lr_factor": (train.lr_factor, 0.01, 0.99),
        "steps": (train.steps, 1, 10_000_000),
        "minutes": (train.minutes, 0.01, 100_000.0),
        "label_smoothing": (train.label_smoothing, 0.0, 0.9),
        "ema": (train.ema, 0.5, 0.9999),
        "seed": (train.seed, 0, 2**31 - 1),
    }
    for name, (number, low, high) in bounds.items():
        if number is not None and not low <= number <= high:
            faults.append(f"{name}: expected {low} to {high}, got {number}")
    _check_cut(model, faults)
    _check_views(inputs, faults)
    if inputs.sampling == BALANCED and train.class_weights != "none":
        faults.append(
            "class_weights: with sampling balanced all classes come equally often "
            "already, and weights would make the rare ones count twice; use one of both"
        )
    _check_patience(train, faults)


def _check_backbone(model: ModelConfig) -> None:
    """One of the user's own is looked for later: a record may name what is gone."""
    known = registry.NAMED
    if model.preprocessing is not None and model.preprocessing not in known:
        raise UsageError(
            f"preprocessing: expected {' | '.join(known)}, got {model.preprocessing!r}"
        )
    if not registry.is_own(model.backbone):
        registry.find(model.backbone, preprocessing=model.preprocessing)


def _check_hflip(inputs: InputsConfig) -> None:
    """Refuse flips of one's own for data that must not be flipped."""
    policy = augment.load_policy(inputs.augment)
    flips = [name for step in policy for name in step if augment.has_flips((step,))]
    if inputs.hflip is False and flips and not augment.is_packaged(policy):
        raise UsageError(
            "hflip: there are to be no flips, and the augmentation makes "
            f"some, by {', '.join(flips)}; take that out of it, or leave hflip away"
        )


def _check_cut(model: ModelConfig, faults: list[str]) -> None:
    if model.cut != AUTO_CUT:
        return
    if model.weights == "none":
        faults.append(
            "cut: auto measures what pretrained layers give, and weights none has "
            "none; name a cut"
        )
    if model.freeze_to is not None:
        faults.append(
            f"freeze_to: {model.freeze_to!r} with cut auto, which may end below it; "
            "leave it away, or name a cut"
        )
    pooled = any(model.head.strip().lower().startswith(p) for p in head.MAP_POOLINGS)
    if not pooled:
        faults.append(
            f"cut: auto measures pooled features, and head {model.head!r} does not "
            "begin with pooling; name a cut, or begin the head with "
            f"{', '.join(head.MAP_POOLINGS)}"
        )


def _check_views(inputs: InputsConfig, faults: list[str]) -> None:
    views = inputs.views
    if isinstance(views, str) and views != FRESH:
        faults.append(f"views: expected a number or {FRESH}, got {views!r}")
    if isinstance(views, int) and not 1 <= views <= 1000:
        faults.append(f"views: expected 1 to 1000, got {views}")
    if inputs.mix != "none" and isinstance(views, int):
        faults.append(
            f"views: {views} cached views cannot be mixed, mix {inputs.mix!r} draws "
            f"every epoch; use views {FRESH} or mix none"
        )
    changed = inputs.augment not in ("none", ()) or inputs.mix != "none"
    if not changed and views not in (None, 1):
        faults.append(
            f"views: with augment none and mix none every view is the same, got "
            f"{views}; use views 1, or an augmentation"
        )


def _check_patience(train: TrainConfig, faults: list[str]) -> None:
    if not train.lr_patience:
        return
    if train.schedule not in ("auto", "constant"):
        faults.append(
            f"lr_patience: the rate is already set by schedule {train.schedule!r}; "
            "use lr_patience 0 with it"
        )
    if train.patience and train.lr_patience >= train.patience:
        faults.append(
            f"lr_patience: {train.lr_patience} epochs without progress never come to "
            f"pass, training stops after patience {train.patience}; choose less"
        )
