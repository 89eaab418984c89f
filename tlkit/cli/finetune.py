"""tlkit finetune: train a classifier on a data set directory."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import typer

from tlkit.cli.evaluate import print_score
from tlkit.cli.terminal import ERR, Terminal, load_tensorflow, next_step
from tlkit.config import (
    DEFAULT_MINUTES,
    DEFAULT_VIEWS,
    SECTION_OF,
    Config,
    build_config,
    default_of,
    resolve,
)
from tlkit.errors import UsageError
from tlkit.model.phases import HEAD_EPOCHS, HEAD_RATE, SMOOTHING, TUNE_RATE
from tlkit.recipe import recipe_names


def _option(text: str, name: str = "") -> Any:
    """An option of the configuration: None is "not given", the help has the default."""
    if name:
        default = default_of(name)
        text += f"  [default: {'see above' if default is None else default}]"
    return typer.Option(None, help=text)


def finetune(
    dataset: Path = typer.Argument(None, help="What tlkit prepare wrote."),
    out: Path = _option("Run directory.  [default: runs/DATASET-BACKBONE-N]"),
    recipe: str = _option(
        f"Start from a recipe: a YAML file, such as RUN/config.yaml, or one of "
        f"{', '.join(recipe_names())}."
    ),
    resume: Path = _option(
        "Go on with this interrupted run as it was; DATASET only if it was moved."
    ),
    overwrite: bool = typer.Option(
        False, "--overwrite", help="Replace an earlier run in --out."
    ),
    set: list[str] = _option("section.option=value, for any option; repeatable."),
    backbone: str = _option("Network; see tlkit backbones.", "backbone"),
    weights: str = _option(
        "imagenet | none | FILE.h5: what the network knows already.", "weights"
    ),
    size: int = _option("Side of the pictures in pixels; else the native one."),
    cut: str = _option("Last layer that is used, see tlkit layers; else the last."),
    freeze_to: str = _option(
        "Frozen up to this layer, or none; else it is found out how deep tuning pays."
    ),
    phases: str = _option(
        "What trains one after the other, ABOVE:EPOCHS@RATE, as head:15,top:10@1e-5; "
        "ABOVE is head, top, deep, all or a layer. auto finds it out, one trains all "
        "above --freeze-to at once.  [default: auto; one with --freeze-to or --weights "
        "none]"
    ),
    probe: bool = _option(
        "Begin with a linear probe of the frozen features.  [default: probe, if "
        "pretrained]"
    ),
    minutes: float = _option(
        f"Training ends after so long.  [default: {DEFAULT_MINUTES:g} with phases auto]"
    ),
    head: str = _option(
        "Layers on top: flatten, gap, gmp, dense:N, dropout:P, bn.", "head"
    ),
    resize: str = _option("squash | crop | pad: how pictures get square.", "resize"),
    augment: str = _option(
        "none | light | standard | strong | FILE.yaml of albumentations.", "augment"
    ),
    views: str = _option(
        "Augmented views a picture, computed once and kept; fresh draws anew every "
        f"epoch.  [default: {DEFAULT_VIEWS}; 1 without augmentation; fresh with --mix "
        "or if nothing is frozen]"
    ),
    mix: str = _option("none | mixup | cutmix | randaugment, by keras-cv.", "mix"),
    batch: int = _option("Pictures a step.", "batch"),
    workers: int = _option(
        "Processes that read pictures, 0 for none; else one a processor."
    ),
    optimizer: str = _option("Any of Keras' optimizers.", "optimizer"),
    lr: float = _option(
        f"Learning rate.  [default: {HEAD_RATE:g}; {TUNE_RATE:g} for pretrained layers]"
    ),
    depth_decay: float = _option(
        "Rate of the lowest layer that trains, as a share of the head's, in equal "
        "ratios between.",
        "depth_decay",
    ),
    momentum: float = _option("Momentum, for sgd, rmsprop and muon."),
    nesterov: bool = _option("Nesterov momentum, for sgd and muon."),
    weight_decay: float = _option("Decoupled weight decay."),
    schedule: str = _option(
        "auto | constant | cosine | exponential | linear | onecycle: the rate over "
        "time; auto is constant for a head, a cosine for pretrained layers.",
        "schedule",
    ),
    warmup: float = _option(
        "Share of the steps to warm up, with cosine.  [default: 0]"
    ),
    epochs: int = _option(
        f"Passes over the pictures, at most.  [default: {HEAD_EPOCHS}]"
    ),
    steps: int = _option("Batches to train on, at most, instead of epochs."),
    label_smoothing: float = _option(
        "Share of each target that is spread over all classes.  [default: 0; "
        f"{SMOOTHING:g} where phases auto tunes]"
    ),
    class_weights: str = _option(
        "none | balanced: what the classes count in the loss.", "class_weights"
    ),
    ema: float = _option(
        "Score and keep a running mean of the weights, with this momentum, as 0.99."
    ),
    monitor: str = _option(
        "val_loss | val_accuracy: which epoch is best; with several labels the "
        "accuracy is the share of right yes and no.",
        "monitor",
    ),
    patience: int = _option(
        "Stop after so many epochs without progress; 0 never.", "patience"
    ),
    plateau: int = _option(
        "Lower the rate after so many epochs without progress; 0 never, else half "
        "the patience."
    ),
    plateau_factor: float = _option("Lower it to this share.", "plateau_factor"),
    seed: int = _option("Seed of everything random.", "seed"),
    device: str = _option("auto | cpu | gpu; gpu without one is an error.", "device"),
    precision: str = _option(
        "auto | float32 | mixed_float16 | mixed_bfloat16; auto is mixed on a GPU.",
        "precision",
    ),
    engine: str = _option(
        "auto | openvino | keras: what computes the frozen layers.", "engine"
    ),
    store: bool = _option(
        "Keep what the frozen layers give; see tlkit cache.", "store"
    ),
) -> None:
    """Train a classifier: frozen backbone up to a cut, a head on top."""
    given = {name: value for name, value in locals().items() if name in SECTION_OF}
    chosen = {name: value for name, value in given.items() if value is not None}
    if views and views.removeprefix("-").isdecimal():
        chosen["views"] = int(views)
    # A typing error is told before anything slow begins.
    config = resolve(build_config(recipe=recipe, options=chosen, assignments=set or ()))
    _start_workers(config)
    import tlkit

    load_tensorflow()
    with Terminal() as progress:
        if resume:
            if chosen or set or recipe or out or overwrite:
                raise UsageError(
                    "--resume goes on with a run as it was and takes no other option.",
                    hint=f"tlkit finetune --resume {shlex.quote(str(resume))}",
                )
            run = tlkit.resume(resume, data=dataset, progress=progress)
        else:
            run = tlkit.finetune(
                dataset,
                out,
                recipe=recipe,
                assignments=set or (),
                overwrite=overwrite,
                progress=progress,
                **chosen,
            )
    best, epochs = run.info["best_epoch"], run.info["epochs"]
    kept = f"Kept epoch {best} of {epochs}" if best else "Kept the linear probe"
    early = " (stopped early)" if run.info["stopped_early"] else ""
    seconds = run.info["seconds"]["total"]
    ERR.print(f"{kept}{early}, {seconds:.0f} s in all", highlight=False)
    print_score(run.metrics())
    next_step("tlkit", "evaluate", run.directory)


def _start_workers(config: Config) -> None:
    """Let the workers import while TensorFlow loads, if they are likely to be needed.

    Where features of this network are kept, the pictures may not even be read.
    """
    from tlkit.cache_root import cache_root
    from tlkit.inputs.views import get_ready
    from tlkit.run.cache import holds
    from tlkit.workers import warm_up

    model, inputs = config.model, config.inputs
    kept = config.train.store and isinstance(inputs.views, int)
    if not (kept and holds(cache_root(), model.backbone, model.size)):
        warm_up(get_ready, inputs.workers)
