"""A Config with everything spelled out: what defaults leave to network and policy."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import TypeVar

from tlkit.backbones import spec
from tlkit.config.options import (
    AUTO_CUT,
    DEFAULT_MINUTES,
    DEFAULT_VIEWS,
    Config,
    InputsConfig,
    ModelConfig,
    TrainConfig,
    default_of,
    given_for_head,
    options_of,
    usual_lr_patience,
    value_of,
)
from tlkit.config.scope import Scope
from tlkit.errors import UsageError
from tlkit.files import not_a_file
from tlkit.inputs import augment
from tlkit.inputs.sampler import FRESH
from tlkit.model import head, phases

T = TypeVar("T")


def resolve(config: Config) -> Config:
    """Spell out what the defaults leave to the backbone and the policy names.

    Args:
        config: Checked, as `build_config` returns it.

    Returns:
        The same without open values; resolving it again changes nothing.

    Raises:
        UsageError: A file is missing, or options would have no effect.
        WeightsError: A network of the user's own cannot be used.
    """
    model, weights = _resolve_model(config.model)
    cut = str(model.cut)
    train = _resolve_training(config.train, config.model, weights, cut)
    policy = augment.load_policy(config.inputs.augment)
    probe_alone = train.phases == phases.PROBE
    if probe_alone:
        _check_probe_alone(config, policy)
    return dataclasses.replace(
        config,
        data=str(Path(config.data).resolve()) if config.data else "",
        model=model,
        inputs=_resolve_inputs(config.inputs, model, policy, probe_alone),
        train=train,
    )


def inputs_without_flips(inputs: InputsConfig) -> InputsConfig:
    """Return the inputs without flips.

    Args:
        inputs: Resolved or not.

    Returns:
        The same with `hflip` False and an augmentation policy without flips.
    """
    policy = augment.without_flips(augment.load_policy(inputs.augment))
    return dataclasses.replace(inputs, augment=policy, hflip=False)


def _resolve_model(model: ModelConfig) -> tuple[ModelConfig, str]:
    """Return the model with everything spelled out, and its weights."""
    backbone = model.row
    weights = _weights(model.weights, backbone)
    size = model.size or backbone.native
    backbone.check_size(size)
    cut = model.cut or backbone.cuts[-1]
    freeze_to = model.freeze_to
    if freeze_to is None and weights == "none":
        freeze_to = "none"
    elif freeze_to is None and cut != AUTO_CUT:
        freeze_to = cut
    preprocessing = backbone.preprocessing.name
    named = backbone.custom and preprocessing in spec.PREPROCESSINGS
    resolved = dataclasses.replace(
        model,
        backbone=backbone.name,
        preprocessing=preprocessing if named else None,
        weights=weights,
        size=size,
        cut=cut,
        freeze_to=freeze_to,
    )
    return resolved, weights


def _weights(given: str | None, backbone: spec.Backbone) -> str:
    """Return the name of the weights, or the absolute path of their file."""
    usual = backbone.default_weights
    if given is None or given in {usual, spec.RANDOM}:
        return given or usual
    if given in {spec.IMAGENET, spec.OWN}:
        raise UsageError(
            f"--weights {given}: {backbone.name} brings its own weights along."
            if usual == spec.OWN
            else f"--weights {given}: {backbone.name} brings no weights along.",
            hint="Leave out --weights.",
        )
    path = Path(given).expanduser().resolve()
    if kind := not_a_file(path):
        raise UsageError(
            f"The weights file {path} is {kind}.",
            hint=f"--weights takes {usual}, none or an .h5 or .weights.h5 file.",
        )
    return str(path)


def _resolve_inputs(
    inputs: InputsConfig, model: ModelConfig, policy: augment.Policy, probe_alone: bool
) -> InputsConfig:
    hflip = inputs.hflip
    # A flip in the user's own augmentation states that flips are right.
    if hflip is None and augment.has_flips(policy) and not augment.is_packaged(policy):
        hflip = True
    views = 1 if probe_alone else inputs.views or _default_views(model, inputs, policy)
    inputs = dataclasses.replace(inputs, augment=policy, hflip=hflip, views=views)
    return inputs_without_flips(inputs) if hflip is False else inputs


def _default_views(
    model: ModelConfig, inputs: InputsConfig, policy: augment.Policy
) -> int | str:
    """Return the number of views that the cache can hold, or FRESH."""
    if inputs.mix != "none":
        return FRESH
    if not policy:
        return 1
    return FRESH if model.freeze_to == "none" else DEFAULT_VIEWS


def _resolve_training(
    train: TrainConfig, model: ModelConfig, weights: str, cut: str
) -> TrainConfig:
    """Spell out phases, learning rate and length."""
    pretrained = weights != "none"
    chosen = _phases(train, model, pretrained, cut)
    if chosen == phases.PROBE:
        # Nothing else has an effect, so that nothing else is spelled out.
        return dataclasses.replace(train, probe=_first(train.probe, True))
    single = chosen == phases.ONE
    if not single and chosen != phases.AUTO:
        _check_listed(train, phases.parse_phases(chosen))
    tunes = single and pretrained and model.freeze_to not in (None, cut)
    schedule = train.schedule
    if schedule == "auto" and single and not tunes:
        schedule = "constant"
    steady = schedule in ("auto", "constant")
    resolved = dataclasses.replace(
        train,
        phases=chosen,
        probe=_first(train.probe, pretrained),
        schedule=schedule,
        warmup=_first(train.warmup, 0.0),
        lr_patience=_first(
            train.lr_patience, usual_lr_patience(train) if steady else 0
        ),
    )
    if chosen == phases.AUTO:
        minutes = _first(train.minutes, DEFAULT_MINUTES)
        return dataclasses.replace(resolved, minutes=minutes)
    # Several phases have a learning rate and a length of their own each.
    if not single:
        return resolved
    smoothing = phases.SMOOTHING if tunes else 0.0
    return dataclasses.replace(
        resolved,
        lr=train.lr or (phases.TUNE_RATE if tunes else phases.HEAD_RATE),
        label_smoothing=_first(train.label_smoothing, smoothing),
        epochs=train.epochs or (None if train.steps else phases.HEAD_EPOCHS),
    )


def _phases(train: TrainConfig, model: ModelConfig, pretrained: bool, cut: str) -> str:
    """Return the phases given or chosen; refuse those that cannot be."""
    given = train.phases
    if given not in (None, phases.ONE) and model.freeze_to not in (None, cut):
        raise UsageError(
            f"freeze_to {model.freeze_to!r} and phases {given!r} both decide what is "
            "frozen.",
            hint="Remove one of the two.",
        )
    automatic = pretrained and model.freeze_to is None
    chosen = given or (phases.AUTO if automatic else phases.ONE)
    if not pretrained and chosen != phases.ONE:
        raise UsageError(
            f"phases: {chosen!r} with weights none: nothing is pretrained, so all of "
            "it trains at once.",
            hint="Remove phases.",
        )
    return chosen


def _check_listed(train: TrainConfig, listed: Sequence[phases.Phase]) -> None:
    """Refuse options that none of the phases takes."""
    heads = [phase for phase in listed if phase.trainable_from == phases.HEAD]
    given = given_for_head(train)
    if heads and all(phase.lr for phase in heads):
        given = {name: value for name, value in given.items() if name == "lr"}
    elif heads:
        given = {}
    if given:
        why = (
            "each has a learning rate of its own"
            if heads
            else "there is no phase for the head"
        )
        raise UsageError(
            f"{', '.join(given)} {_have(given)} no effect with phases "
            f"{','.join(map(str, listed))!r}: {why}. A phase that tunes pretrained "
            "layers anneals a learning rate of its own over its whole length.",
            hint=f"Remove {', '.join(given)}; give a tuning phase its rate as "
            "deep:30@1e-4.",
        )


def _check_probe_alone(config: Config, policy: augment.Policy) -> None:
    """Refuse options that contradict a probe alone or have no effect on it."""
    layers = config.model.head
    if config.train.probe is False:
        raise UsageError("phases: 'probe' without a probe leaves nothing to train.")
    if not head.is_linear(head.parse_head(layers)):
        raise UsageError(
            f"phases: 'probe' is a linear classifier, and the head {layers!r} is not.",
            hint="Use --head gap, or other phases.",
        )
    usual = augment.load_policy(default_of("augment"))
    # A resolved configuration of such a run has these besides the defaults.
    spelled_out = {
        "augment": policy in (usual, augment.without_flips(usual)),
        "views": config.inputs.views == 1,
    }
    named = [
        name
        for name in options_of(Scope.STEPS)
        if value_of(config, name) != default_of(name) and not spelled_out.get(name)
    ]
    if named:
        raise UsageError(
            f"{', '.join(named)} {_have(named)} no effect: phases is 'probe', which is "
            "solved at once, from the plain images.",
            hint=f"Remove {', '.join(named)}, or use other phases.",
        )


def _have(names: Collection[str]) -> str:
    return "has" if len(names) == 1 else "have"


def _first(given: T | None, otherwise: T) -> T:
    return otherwise if given is None else given
