"""tlkit finetune: train a classifier on a data set directory."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import typer

from tlkit.cli.evaluate import print_score
from tlkit.cli.terminal import ERR, Terminal, load_tensorflow, next_step
from tlkit.config import (
    DEFAULT_VIEWS,
    SECTION_OF,
    Config,
    build_config,
    default_of,
    resolve,
)
from tlkit.errors import UsageError
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
    freeze_to: str = _option("Frozen up to this layer, or none; else up to the cut."),
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
    lr: float = _option("Learning rate.", "lr"),
    momentum: float = _option("Momentum, for sgd, rmsprop and muon."),
    nesterov: bool = _option("Nesterov momentum, for sgd and muon."),
    weight_decay: float = _option("Decoupled weight decay."),
    schedule: str = _option(
        "constant | cosine | exponential | linear: the rate over time.", "schedule"
    ),
    warmup: float = _option("Share of the steps to warm up, with cosine.", "warmup"),
    epochs: int = _option("Passes over the pictures, at most.", "epochs"),
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
    ERR.print(
        f"Kept epoch {run.info['best_epoch']} of {run.info['epochs']}"
        f"{' (stopped early)' if run.info['stopped_early'] else ''}, "
        f"{run.info['seconds']['total']:.0f} s in all",
        highlight=False,
    )
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
