"""A checked Config in, the same with everything spelled out."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tlkit.backbones import registry
from tlkit.config.options import (
    AUTO_CUT,
    DEFAULT_MINUTES,
    DEFAULT_VIEWS,
    SECTION_OF,
    STEPPING,
    Config,
    InputsConfig,
    ModelConfig,
    TrainConfig,
    default_of,
    given_for_head,
    usual_lr_patience,
)
from tlkit.errors import UsageError
from tlkit.files import not_a_file
from tlkit.inputs import augment
from tlkit.inputs.sampler import FRESH
from tlkit.model import head, phases


def resolve(config: Config) -> Config:
    """Spell out what the defaults leave to the backbone and the policy names."""
    model, inputs, train = config.model, config.inputs, config.train
    backbone = model.row
    cut = model.cut or backbone.cuts[-1]
    weights = _weights(model.weights, backbone)
    size = model.size or backbone.native
    registry.check_size(backbone, size)
    own = backbone.builder == registry.OWN
    named = own and backbone.preprocessing.name in registry.NAMED
    train = _resolve_training(config.train, model, weights, cut)
    model = dataclasses.replace(
        model,
        backbone=backbone.name,
        preprocessing=backbone.preprocessing.name if named else None,
        weights=weights,
        size=size,
        cut=cut,
        freeze_to=model.freeze_to or _freeze_point(weights, cut),
    )
    policy = augment.load_policy(inputs.augment)
    if train.phases == phases.PROBE:
        _check_probe_alone(config, policy)
    hflip = inputs.hflip
    # Whoever lists a flip has said that flips are right.
    if hflip is None and augment.has_flips(policy) and not augment.is_packaged(policy):
        hflip = True
    views = inputs.views or _default_views(model, inputs, policy)
    inputs = dataclasses.replace(inputs, augment=policy, hflip=hflip, views=views)
    if hflip is False:
        inputs = inputs_without_flips(inputs)
    if train.phases == phases.PROBE:
        inputs = dataclasses.replace(inputs, views=1)
    return dataclasses.replace(
        config,
        data=str(Path(config.data).resolve()) if config.data else "",
        model=model,
        inputs=inputs,
        train=train,
    )


def _resolve_training(
    train: TrainConfig, model: ModelConfig, weights: str, cut: str
) -> TrainConfig:
    """Spell out how long, how fast and in which phases, where nobody has said."""
    pretrained = weights != "none"
    whole_body = model.freeze_to not in (None, cut)
    given = train.phases
    if given not in (None, phases.ONE) and whole_body:
        raise UsageError(
            f"freeze_to: {model.freeze_to!r} with phases {given!r}: the phases say "
            "what is frozen. Give one of both."
        )
    chosen = given or (
        phases.AUTO if pretrained and model.freeze_to is None else phases.ONE
    )
    if not pretrained and chosen != phases.ONE:
        raise UsageError(
            f"phases: {chosen!r} with weights none: there is nothing pretrained to be "
            "careful with, so all of it trains at once. Leave phases away."
        )
    tunes = pretrained and whole_body and chosen == phases.ONE
    head_alone = chosen == phases.ONE and not tunes
    schedule = train.schedule
    if schedule == "auto" and head_alone:
        schedule = "constant"
    steady = schedule in ("auto", "constant")
    if chosen == phases.PROBE:
        # Nothing else is of use, so that nothing else is spelled out.
        return dataclasses.replace(train, probe=_first(train.probe, True))
    listed: tuple[phases.Phase, ...] = ()
    if chosen not in (phases.AUTO, phases.ONE):
        listed = phases.parse_phases(chosen)
        _check_listed(train, listed)
    single = chosen == phases.ONE
    rate = phases.TUNE_RATE if tunes else phases.HEAD_RATE
    return dataclasses.replace(
        train,
        phases=chosen,
        probe=_first(train.probe, pretrained),
        minutes=_first(
            train.minutes, DEFAULT_MINUTES if chosen == phases.AUTO else None
        ),
        # Several phases have each a rate and a length of their own.
        lr=train.lr or (rate if single else None),
        schedule=schedule,
        warmup=_first(train.warmup, 0.0),
        label_smoothing=_first(
            train.label_smoothing,
            phases.SMOOTHING if tunes else 0.0 if single else None,
        ),
        lr_patience=_first(
            train.lr_patience, usual_lr_patience(train) if steady else 0
        ),
        epochs=train.epochs
        or (phases.HEAD_EPOCHS if single and not train.steps else None),
    )


def _check_listed(train: TrainConfig, listed: Sequence[phases.Phase]) -> None:
    """Refuse what none of the phases would take."""
    heads = [phase for phase in listed if phase.above == phases.HEAD]
    given = given_for_head(train)
    if heads and all(phase.lr for phase in heads):
        given = {name: value for name, value in given.items() if name == "lr"}
    elif heads:
        given = {}
    if given:
        why = (
            "each has a rate of its own" if heads else "there is no phase for the head"
        )
        raise UsageError(
            f"{', '.join(given)} would do nothing with phases "
            f"{','.join(map(str, listed))!r}: {why}, and what tunes pretrained layers "
            "has its rate behind @, which falls over its whole length. Leave it away."
        )


def _check_probe_alone(config: Config, policy: augment.Policy) -> None:
    """Refuse what a probe without any phase cannot be or has no use for."""
    train, layers = config.train, config.model.head
    if train.probe is False:
        raise UsageError("phases: 'probe' without a probe leaves nothing to train.")
    if not head.is_linear(head.parse_head(layers)):
        raise UsageError(
            f"phases: 'probe' is a linear classifier, and the head {layers!r} is none. "
            "Use --head gap, or other phases."
        )
    usual = augment.load_policy(default_of("augment"))
    # What a configuration of such a run says, besides the defaults.
    spelled_out = {
        "augment": policy in (usual, augment.without_flips(usual)),
        "views": config.inputs.views == 1,
    }
    named = [
        name
        for name in STEPPING
        if getattr(getattr(config, SECTION_OF[name]), name) != default_of(name)
        and not spelled_out.get(name)
    ]
    if named:
        raise UsageError(
            f"{', '.join(named)} would do nothing: a probe is solved, in no steps and "
            "from the plain images. Leave it away, or use other phases."
        )


def _freeze_point(weights: str, cut: str) -> str | None:
    if weights == "none":
        return "none"
    # Not before the cut is found out.
    return None if cut == AUTO_CUT else cut


def _first(given: Any, otherwise: Any) -> Any:
    return otherwise if given is None else given


def inputs_without_flips(inputs: InputsConfig) -> InputsConfig:
    """Return the inputs without flips."""
    policy = augment.without_flips(augment.load_policy(inputs.augment))
    return dataclasses.replace(inputs, augment=policy, hflip=False)


def _default_views(
    model: ModelConfig, inputs: InputsConfig, policy: augment.Policy
) -> int | str:
    """How many views: what can be kept is kept, what cannot is drawn again."""
    if inputs.mix != "none":
        return FRESH
    if not policy:
        return 1
    return FRESH if model.freeze_to == "none" else DEFAULT_VIEWS


def _weights(given: str | None, backbone: registry.Backbone) -> str:
    """A word that stands for weights as it is, a file's path absolute."""
    usual = backbone.usual_weights
    if given is None or given in {usual, registry.RANDOM}:
        return given or usual
    if given in {registry.IMAGENET, registry.BROUGHT}:
        raise UsageError(
            f"--weights {given}: {backbone.name} brings its own weights along."
            if usual == registry.BROUGHT
            else f"--weights {given}: {backbone.name} brings no weights along.",
            hint="Leave --weights away.",
        )
    path = Path(given).expanduser().resolve()
    if kind := not_a_file(path):
        raise UsageError(
            f"The weights file {path} is {kind}.",
            hint=f"--weights takes {usual}, none or an .h5 or .weights.h5 file.",
        )
    return str(path)
