"""Fine-tuning: from a data set and a configuration to a finished run directory."""

from __future__ import annotations

import dataclasses
import shlex
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras

from tlkit import files
from tlkit.backbones.spec import short_name
from tlkit.cache_root import cap_bytes
from tlkit.config import (
    Config,
    build_config,
    resolve,
    without_head_options,
    without_steps,
)
from tlkit.dataset.manifest import Manifest
from tlkit.device import choose_device, choose_precision
from tlkit.errors import RunError, UsageError
from tlkit.evaluation.postprocessing import select_on_val
from tlkit.evaluation.report import report, scored_split
from tlkit.inputs.sampler import BALANCED
from tlkit.model.classifier import Classifier
from tlkit.model.phases import AUTO, HEAD, ONE, PROBE
from tlkit.progress import SILENT, Progress
from tlkit.reports import plots
from tlkit.runs import leakage
from tlkit.runs.run import Run
from tlkit.runs.timing import Clock
from tlkit.training import messages
from tlkit.training.auto_cut import with_cut
from tlkit.training.callbacks import Budget
from tlkit.training.candidates import account_for
from tlkit.training.network import build_network
from tlkit.training.plan import plain_suffices
from tlkit.training.policy import FOLDS_DIR
from tlkit.training.train import train
from tlkit.training.trainer import Trainer


def finetune(
    data: str | Path | None = None,
    out: str | Path | None = None,
    *,
    recipe: str | Path | None = None,
    overrides: Sequence[str] = (),
    overwrite: bool = False,
    progress: Progress = SILENT,
    **options: Any,
) -> Run:
    """Train a classifier on a data set directory.

    Args:
        data: A data set directory from `prepare`; may come from the recipe.
        out: The run directory to make; runs/DATA-BACKBONE-N where not given.
        recipe: Name or path of a recipe, such as RUN/config.yaml.
        overrides: Texts "section.option=value", which override all else.
        overwrite: Whether an earlier run in `out` may be replaced.
        progress: Receives notes, warnings and progress.
        **options: Any option of the configuration, such as backbone="inception",
            cut="mixed7", epochs=20; see tlkit.config for all of them.

    Returns:
        The finished run; `model.keras` holds the selected weights, in float32.

    Raises:
        UsageError: No data set was named, or an option has no meaning.
        RunError: The data set lacks a split, or the training diverged.

    Example:
        >>> run = tlkit.finetune("ants", "runs/first", backbone="mobilenet_v2")
    """
    given = {**options, "data": str(data) if data is not None else None}
    config = resolve(build_config(recipe=recipe, options=given, overrides=overrides))
    manifest = read_data(config, "finetune")
    if config.train.cache:
        cap_bytes()
    check_labels(manifest, config)
    leakage.check_splits(manifest, config.model.backbone, progress)
    place = Path(out) if out is not None else free_place(config)
    with Run.create(place, overwrite=overwrite, progress=progress) as directory:
        return _work(Run.begin(directory, config, manifest), manifest, progress)


def resume(
    directory: str | Path,
    *,
    data: str | Path | None = None,
    progress: Progress = SILENT,
) -> Run:
    """Continue an interrupted run, to the same result as if it had not been.

    Args:
        directory: The run directory.
        data: The place of its data set, if that was moved.
        progress: Receives notes, warnings and progress.

    Returns:
        The finished run.

    Raises:
        RunError: The run is finished already, or its data set has changed.
    """
    run = Run.read(directory, finished=False)
    if run.state == "finished":
        longer = " --epochs N" if run.config.train.phases == ONE else " --phases LONGER"
        recipe = str(Path(directory) / "config.yaml")
        command = shlex.join(("tlkit", "finetune", "--recipe", recipe))
        raise RunError(
            f"The run in {directory} is finished: nothing is left to resume.",
            hint=f"Train longer with: {command}{longer} --out ANOTHER",
        )
    return _work(run, run.manifest(data), progress)


def read_data(config: Config, command: str) -> Manifest:
    """Read the data set that a configuration names.

    Args:
        config: The configuration.
        command: The command of tlkit, for the hint.

    Returns:
        The data set.

    Raises:
        UsageError: No data set was named.
        RunError: It lacks a training or a validation split.
    """
    if not config.data:
        raise UsageError(
            "No data set was named.",
            hint=f"Run: tlkit {command} DATASET, with what tlkit prepare wrote.",
        )
    return check_splits(Manifest.read(config.data))


def check_splits(manifest: Manifest) -> Manifest:
    """Return a data set that has both splits to train on; refuse others."""
    for split in ("train", "val"):
        if not manifest.of(split):
            raise RunError(
                f"{manifest.directory} has no images in its {split} split.",
                hint="Prepare it again with a --val share above 0, and --overwrite.",
            )
    return manifest


def check_labels(manifest: Manifest, config: Config) -> None:
    """Refuse options that have no meaning where images have several labels.

    Args:
        manifest: The data set.
        config: Resolved.

    Raises:
        UsageError: There is such an option.
    """
    options = {
        "class_weights": config.train.class_weights != "none",
        "sampling": config.inputs.sampling == BALANCED,
    }
    if manifest.multi_label and (named := [name for name in options if options[name]]):
        raise UsageError(
            f"{' and '.join(named)}: balanced goes by the one class of an image, and "
            f"those of {manifest.directory} have several labels.",
            hint="Remove it: each label has a threshold, which makes up for rarity.",
        )


def free_place(config: Config, kind: str = "") -> Path:
    """Return the first free runs/DATA-BACKBONE-KIND-N below the current folder.

    Args:
        config: Names data set and backbone.
        kind: Of the result, empty for a run.

    Returns:
        A path where nothing is.
    """
    words = (Path(config.data).name, short_name(config.model.backbone), kind)
    stem = "-".join(word for word in words if word)
    number = 1
    while files.is_taken(Path("runs") / f"{stem}-{number}"):
        number += 1
    return Path("runs") / f"{stem}-{number}"


def _work(run: Run, manifest: Manifest, progress: Progress) -> Run:
    """Train, and record the state of the run however that ends."""
    try:
        with run.recorded(progress) as run:
            _train(run, manifest, progress)
    except KeyboardInterrupt:
        if run.config.train.cache and not run.is_resumable(run.directory):
            progress.note(
                "The features computed so far are cached: the same command continues "
                "from there"
            )
        raise
    for path in (run.directory / "checkpoint").glob("*/*.npz"):
        path.unlink()
    shutil.rmtree(run.directory / FOLDS_DIR, ignore_errors=True)
    return Run.read(run.directory)


def _train(run: Run, manifest: Manifest, progress: Progress) -> None:
    clock = Clock()
    config, account = with_cut(run.config, manifest, progress)
    if account:
        run = run.with_config(config, cut_choice=account)
    clock.lap("cut")
    budget = Budget(config.train.minutes)
    device = choose_device(config.train.device)
    policy = choose_precision(config.train.precision, device)
    with keras.device(device):
        network = build_network(config, run.task, device, policy)
        messages.describe(
            network.trained, manifest, config, f"{device}, {policy}", progress
        )
        weights = _check_weights(run, network.trained)
        run = run.update(weights=weights, device=device, precision=policy)
        clock.lap("build")
        result = train(
            run, manifest, network, budget=budget, clock=clock, progress=progress
        )
    run, trainer, selected = result
    choice = account_for(
        trainer.candidates,
        selected,
        held_out=trainer.held_out,
        monitor=(config if trainer.held_out else trainer.config).train.monitor,
    )
    progress.note(choice["summary"])
    messages.warn_of_unpredicted(result, progress)
    if config.train.phases == AUTO:
        run = run.with_config(_repeating(run.config, trainer))
    split = scored_split(manifest, "val", selected.scores)
    run = select_on_val(run, split)
    report(run, manifest, split)
    best = trainer.epoch_of(selected)
    plots.draw_curves(trainer.history, run.directory / "curves.png", best)
    clock.lap("evaluate")
    _save(network.reference.model, run.directory / "model.keras")
    clock.lap("save")
    progress.note(clock.line())
    run.update(
        epochs=len(trainer.history),
        best_epoch=best,
        stopped_early=selected.stopped,
        selected=selected.name,
        selected_weights=trainer.describe(selected),
        candidates=[one.account() for one in trainer.candidates],
        held_out=[one.account() for one in trainer.held_out],
        choice=choice,
        frozen_checksum=network.trained.frozen_checksum(),
        features=trainer.pipeline.account(),
        seconds=clock.seconds(),
    )


def _check_weights(run: Run, classifier: Classifier) -> dict[str, Any]:
    """Return what the run starts from; refuse to resume it from anything else."""
    weights = {
        "source": run.config.model.weights,
        "network": classifier.backbone.identity,
        "checksum": classifier.weights_checksum,
    }
    earlier = run.info.get("weights", weights)
    for key, value in weights.items():
        if earlier[key] != value:
            raise RunError(
                f"The network of this run has changed: the {key} of "
                f"{classifier.backbone.name} with weights {weights['source']} was "
                f"...{str(earlier[key])[-16:]}, and is ...{str(value)[-16:]} now.",
                hint="Restore the file it began with, or begin again.",
            )
    return weights


def _repeating(config: Config, trainer: Trainer) -> Config:
    """Return the configuration that repeats what was chosen automatically."""
    listed = ",".join(map(str, trainer.phases)) or PROBE
    heads = [phase.trainable_from == HEAD for phase in trainer.phases]
    averages = any(one.averaged for one in trainer.candidates)
    train = dataclasses.replace(
        trainer.config.train,
        phases=listed,
        lr=None,
        epochs=None,
        minutes=None,
        average_weights=averages and not trainer.selects,
    )
    if not any(heads):
        train = without_head_options(train)
    inputs = config.inputs
    if plain_suffices(config) and all(heads):
        inputs = dataclasses.replace(inputs, views=1)
    config = dataclasses.replace(config, train=train, inputs=inputs)
    return without_steps(config) if listed == PROBE else config


def _save(model: keras.Model, path: Path) -> None:
    draft = files.aside(path).with_suffix(".keras")
    model.save(draft, include_optimizer=False)
    draft.replace(path)
