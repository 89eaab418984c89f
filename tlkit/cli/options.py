"""Options that several commands share, those of the configuration among them."""

from __future__ import annotations

import inspect
import types
import typing
from collections.abc import Callable, Collection, Mapping
from typing import Any

import typer

from tlkit.config import (
    DEFAULT_MINUTES,
    DEFAULT_VIEWS,
    SECTION_OF,
    SECTIONS,
    default_of,
)
from tlkit.model.phases import HEAD_EPOCHS, HEAD_RATE, SMOOTHING, TUNE_RATE

# In the order of --help. The default is put behind a text that does not tell it.
HELP = {
    "backbone": "Network; see tlkit backbones. One of your own: PATH.keras, or "
    "hub:PRESET (of KerasHub, or its directory).",
    "preprocessing": "For a network of your own, the pixels it expects: none | tf | "
    "caffe | torch; not needed if it scales them itself.",
    "weights": "imagenet | own | none | FILE.h5: what the network knows already.  "
    "[default: own if it brings some, as nano and networks of yours, else imagenet]",
    "size": "Side of the images in pixels; else the native one.",
    "cut": "Last layer, see tlkit backbones show, or auto: found out on the "
    "training side; else the last.",
    "freeze_to": "Frozen up to this layer, or none; else it is found out how deep "
    "tuning pays.",
    "phases": "What trains one after the other, ABOVE:EPOCHS@RATE, as "
    "head:15,top:10@1e-5; ABOVE is head, top, deep, all or a layer. probe is the "
    "linear probe alone. auto finds it out, one trains all above --freeze-to at once.  "
    "[default: auto; one with --freeze-to or --weights none]",
    "probe": "Begin with a linear probe of the frozen features.  [default: probe, if "
    "pretrained]",
    "minutes": f"Training ends after so long.  [default: {DEFAULT_MINUTES:g} with "
    "phases auto]",
    "head": "Layers on top: flatten, gap, gmp, gap_gmp, dense:N, dropout:P, bn.",
    "resize": "squash | crop | pad: how images get square.",
    "augment": "none | light | standard | strong | FILE.yaml of albumentations.",
    "hflip": "Horizontal flips keep the class.  [default: chosen automatically from "
    "the class names and the training images]",
    "views": "Augmented views an image, computed once and kept; fresh draws again "
    f"every epoch.  [default: {DEFAULT_VIEWS}; 1 without augmentation; fresh with "
    "--mix or if nothing is frozen]",
    "mix": "none | mixup | cutmix | randaugment | augmix, by keras-cv.",
    "sampling": "as-is | balanced: balanced shows all classes equally often, in an "
    "epoch as long as before.",
    "batch": "Images a step.",
    "workers": "Processes that read images, 0 for none; else one a processor.",
    "optimizer": "Any of Keras' optimizers.",
    "lr": "Learning rate of the head, or of all above --freeze-to; that of another "
    f"phase stands in --phases.  [default: {HEAD_RATE:g}; {TUNE_RATE:g} for pretrained "
    "layers]",
    "momentum": "Momentum, for sgd, rmsprop and muon.",
    "nesterov": "Nesterov momentum, for sgd and muon.",
    "weight_decay": "Decoupled weight decay.",
    "schedule": "auto | constant | cosine | exponential | linear | onecycle: the rate "
    "over time; auto is constant for a head, a cosine for pretrained layers.",
    "warmup": "Share of the steps to warm up, with cosine.  [default: 0]",
    "epochs": "Passes over the images, at most, in each phase.  [default: "
    f"{HEAD_EPOCHS}; as the data want for pretrained layers]",
    "steps": "Batches to train on, at most, instead of epochs.",
    "label_smoothing": "Share of each target that is spread over all classes.  "
    f"[default: 0; {SMOOTHING:g} where pretrained layers train]",
    "class_weights": "none | balanced: what the classes count in the loss.",
    "ema": "Score and keep a running mean of the weights, with this momentum, as 0.99.",
    "monitor": "val_loss | val_accuracy | last: which epoch is kept; with several "
    "labels the accuracy is the share of right yes and no.",
    "patience": "Stop after so many epochs without progress; 0 never.",
    "lr_patience": "Lower the rate after so many epochs without progress; 0 never, "
    "else half the patience.",
    "lr_factor": "Lower it to this share.",
    "seed": "Seed of everything random.",
    "device": "auto | cpu | gpu; gpu without one is an error.",
    "precision": "auto | float32 | mixed_float16 | mixed_bfloat16; auto is mixed on a "
    "GPU.",
    "engine": "auto | openvino | keras: what computes the frozen layers.",
    "cache": "Keep the features of frozen layers; see tlkit cache.",
}  # fmt: skip

DATASET = typer.Argument(..., help="Data set directory, made by tlkit prepare.")
RUN = typer.Argument(..., help="Run directory, made by tlkit finetune.")
DATA = typer.Option(None, help="Data set directory, if it was moved.")
RECIPE = typer.Option(None, help="Start from a recipe, as for finetune.")
OVERWRITE = typer.Option(
    False, "--overwrite", help="Replace an earlier result in --out."
)
OVERRIDES = typer.Option(
    None, "--set", help="section.option=value, for any option; repeatable."
)
WORKERS = typer.Option(
    None,
    help="Processes that read images, 0 for none.  [default: one per processor]",
)

Command = typing.TypeVar("Command", bound=Callable[..., None])


def with_options(*, without: Collection[str] = ()) -> Callable[[Command], Command]:
    """Return a decorator that adds the options of the configuration to a command.

    The command takes them as `**options`; None stands for an option not given.
    """
    added = [
        inspect.Parameter(
            name,
            inspect.Parameter.KEYWORD_ONLY,
            default=typer.Option(None, help=_help(name)),
            annotation=_type(name),
        )
        for name in HELP
        if name not in without
    ]

    def decorate(command: Command) -> Command:
        signature = inspect.signature(command, eval_str=True)
        own = [p for p in signature.parameters.values() if p.kind != p.VAR_KEYWORD]
        every = [*own, *added]
        # This is where typer looks for them.
        vars(command)["__signature__"] = signature.replace(parameters=every)
        command.__annotations__ = {p.name: p.annotation for p in every}
        return command

    return decorate


def given(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options that were given, in the types of the configuration."""
    found = {name: value for name, value in options.items() if value is not None}
    views = found.get("views")
    if views and views.removeprefix("-").isdecimal():
        found["views"] = int(views)
    return found


def written(options: Mapping[str, Any]) -> list[str]:
    """Return options as words of a command line: ["--size", "96", "--no-hflip"]."""
    words = []
    for name, value in options.items():
        flag = name.replace("_", "-")
        if isinstance(value, bool):
            words.append(f"--{flag}" if value else f"--no-{flag}")
        else:
            words += [f"--{flag}", str(value)]
    return words


def _help(name: str) -> str:
    text, default = HELP[name], default_of(name)
    shown = default is None or "[default: " in text
    return text if shown else f"{text}  [default: {default}]"


def _type(name: str) -> Any:
    """Return the type that typer parses: of several, the one that any text has."""
    hint = typing.get_type_hints(SECTIONS[SECTION_OF[name]])[name]
    kinds = typing.get_args(hint) if isinstance(hint, types.UnionType) else (hint,)
    return str if str in kinds else next(k for k in kinds if k is not type(None))
