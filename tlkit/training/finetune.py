"""A data set and a configuration in, a finished run directory out."""

from __future__ import annotations

import dataclasses
import shlex
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras

from tlkit import files
from tlkit.backbones.spec import Backbone, short_name
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
from tlkit.inputs.mixing import caution
from tlkit.inputs.sampler import BALANCED
from tlkit.model.classifier import Classifier
from tlkit.model.phases import AUTO, HEAD, ONE, PROBE
from tlkit.progress import SILENT, Progress
from tlkit.reports import plots
from tlkit.runs.leakage import check_sides
from tlkit.runs.result_dir import Run
from tlkit.runs.timing import Clock
from tlkit.training import fold_selection
from tlkit.training.auto_cut import settle_cut
from tlkit.training.callbacks import Budget
from tlkit.training.candidates import Candidate, account_for
from tlkit.training.network import build_network
from tlkit.training.policy import plain_suffices
from tlkit.training.train_network import learn
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
        data: What `prepare` wrote; may come from the recipe.
        out: The run directory to make; runs/DATA-BACKBONE-N where not given.
        recipe: Name or path of a recipe, such as RUN/config.yaml.
        overrides: Texts "section.option=value", laid over everything else.
        overwrite: Whether an earlier run in `out` may be replaced.
        progress: Told of all long work.
        **options: Any option of the configuration, such as backbone="inception",
            cut="mixed7", epochs=20; see tlkit.config for all of them.

    Returns:
        The finished run: the best epoch's network, float32, in `model.keras`.

    Raises:
        UsageError: No data set was named, or an option cannot be meant.

    Example:
        >>> run = tlkit.finetune("ants", "runs/first", backbone="mobilenet_v2")
    """
    given = {**options, "data": str(data) if data is not None else None}
    config = resolve(build_config(recipe=recipe, options=given, overrides=overrides))
    if not config.data:
        raise UsageError(
            "No data set was named.",
            hint="tlkit finetune DATASET, where DATASET is what tlkit prepare wrote.",
        )
    if config.train.cache:
        cap_bytes()
    manifest = check_splits(Manifest.read(config.data))
    check_labels(manifest, config)
    check_sides(manifest, config.model.backbone, progress)
    place = Path(out) if out is not None else free_place(config)
    with Run.create(place, overwrite=overwrite, progress=progress) as directory:
        return _work(Run.begin(directory, config, manifest), manifest, progress)


def resume(
    directory: str | Path,
    *,
    data: str | Path | None = None,
    progress: Progress = SILENT,
) -> Run:
    """Go on with an interrupted run as if it had not been interrupted.

    Args:
        directory: The run directory.
        data: Where its data set lies now, if it was moved.
        progress: Told of all long work.

    Returns:
        The finished run.

    Raises:
        RunError: It is finished already, or its data set has changed.
    """
    run = Run.read(directory, finished=False)
    if run.state == "finished":
        raise RunError(
            f"The run in {directory} is finished; there is nothing to go on with.",
            hint="Train longer with: "
            + shlex.join(
                ("tlkit", "finetune", "--recipe", str(Path(directory) / "config.yaml"))
            )
            + (" --epochs N" if run.config.train.phases == ONE else " --phases LONGER")
            + " --out ANOTHER",
        )
    return _work(run, run.manifest(data), progress)


def check_splits(manifest: Manifest) -> Manifest:
    """Refuse a data set that cannot be trained on.

    Args:
        manifest: Any.

    Returns:
        The same.

    Raises:
        RunError: It lacks a training or a validation side.
    """
    for split in ("train", "val"):
        if not manifest.of(split):
            raise RunError(
                f"{manifest.directory} has no images in its {split} split.",
                hint="Prepare it again with a --val share above 0.",
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
            hint="Leave it away: thresholds of their own make up for rare labels.",
        )


def free_place(config: Config, kind: str = "") -> Path:
    """The first free runs/DATA-BACKBONE-KIND-N below the current folder."""
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
    shutil.rmtree(run.directory / fold_selection.WORK, ignore_errors=True)
    return Run.read(run.directory)


def _train(run: Run, manifest: Manifest, progress: Progress) -> Run:
    clock = Clock()
    run = settle_cut(run, manifest, progress)
    clock.lap("cut")
    config = run.config
    budget = Budget(config.train.minutes)
    device = choose_device(config.train.device)
    policy = choose_precision(config.train.precision, device)
    with keras.device(device):
        network = build_network(config, run.task, device, policy)
        _describe(network.trained, manifest, config, device, policy, progress)
        run = _note_network(run, network.trained)
        run = run.update(device=device, precision=policy)
        clock.lap("build")
        run, trainer, kept = learn(
            run, manifest, network, budget=budget, clock=clock, progress=progress
        )
    choice = account_for(
        trainer.candidates,
        kept,
        held_out=trainer.held_out,
        monitor=(config if trainer.held_out else trainer.config).train.monitor,
    )
    progress.note(choice["said"])
    _warn_of_silence(trainer, kept, progress)
    if config.train.phases == AUTO:
        run = _decided(run, trainer)
    side = scored_split(manifest, "val", kept.scores)
    run = select_on_val(run, side)
    report(run, manifest, side)
    best = trainer.epoch_of(kept)
    plots.draw_curves(trainer.history, run.directory / "curves.png", best)
    clock.lap("evaluate")
    _save(network.reference.model, run.directory / "model.keras")
    clock.lap("save")
    progress.note(clock.line())
    return run.update(
        epochs=len(trainer.history),
        best_epoch=best,
        stopped_early=kept.stopped,
        kept=kept.name,
        candidates=[one.account() for one in trainer.candidates],
        held_out=[one.account() for one in trainer.held_out],
        choice=choice,
        frozen_checksum=network.trained.frozen_checksum(),
        features=trainer.account(),
        seconds=clock.seconds(),
    )


def _warn_of_silence(trainer: Trainer, kept: Candidate, progress: Progress) -> None:
    """Warn of classes that the network does not seem to know."""
    judged = trainer.held_out or trainer.candidates
    found = next(one for one in judged if one.name == kept.name)
    if found.never:
        names = ", ".join(trainer.manifest.labels[i] for i in found.never)
        progress.warn(
            f"{names}: none of {len(found.right)} images that it was judged by is "
            "answered so, though some are. More images of it help most; "
            "--class-weights balanced counts rare classes more"
        )


def _note_network(run: Run, classifier: Classifier) -> Run:
    """Record what the run starts from, and refuse to go on from anything else."""
    weights = {
        "source": run.config.model.weights,
        "network": classifier.backbone.identity,
        "checksum": classifier.weights_checksum,
    }
    earlier = run.info.get("weights", {})
    changed = [key for key in earlier if earlier[key] != weights[key]]
    if changed:
        was, now = (str(one[changed[0]])[-16:] for one in (earlier, weights))
        raise RunError(
            f"The network of this run is not what it was: the {changed[0]} of "
            f"{classifier.backbone.name} with weights {weights['source']} was "
            f"...{was}, and is ...{now} now.",
            hint="Put back the file it began with, or begin again.",
        )
    return run.update(weights=weights)


def _decided(run: Run, trainer: Trainer) -> Run:
    """Record automatic choices in config.yaml, so that it repeats them."""
    listed = ",".join(map(str, trainer.phases)) or PROBE
    train = dataclasses.replace(
        trainer.config.train,
        phases=listed,
        lr=None,
        epochs=None,
        steps=None,
        minutes=None,
    )
    if not any(phase.above == HEAD for phase in trainer.phases):
        train = without_head_options(train)
    inputs = run.config.inputs
    if plain_suffices(run.config) and all(p.above == HEAD for p in trainer.phases):
        inputs = dataclasses.replace(inputs, views=1)
    config = dataclasses.replace(run.config, train=train, inputs=inputs)
    if listed == PROBE:
        config = without_steps(config)
    files.write_text(run.directory / "config.yaml", config.to_yaml())
    return dataclasses.replace(run, config=config)


def _save(model: keras.Model, path: Path) -> None:
    draft = files.aside(path).with_suffix(".keras")
    model.save(draft, include_optimizer=False)
    draft.replace(path)


def _describe(
    classifier: Classifier,
    manifest: Manifest,
    config: Config,
    device: str,
    policy: str,
    progress: Progress,
) -> None:
    """Tell what will be trained, and what about it should give pause."""
    images = len(manifest.of("train"))
    shape = "x".join(str(n) for n in classifier.feature_shape)
    inputs, train = config.inputs, config.train
    weights = Path(str(config.model.weights)).name
    frozen = f"frozen up to {classifier.freeze_to}"
    if classifier.freeze_to == "none":
        frozen = "nothing frozen"
    if train.phases == AUTO:
        frozen = "as deep as pays will be tuned"
    elif train.phases != ONE:
        frozen = f"phases {train.phases}"
    progress.note(
        f"Data: {images} images to train on, {len(manifest.of('val'))} to validate "
        f"on, {len(manifest.of('test'))} held back for the test"
    )
    progress.note(
        f"Network: {classifier.backbone.name} (weights: {weights}) up to "
        f"{classifier.cut} ({shape}), {frozen}; head of "
        f"{classifier.head_parameters:,} weights; {device}, {policy}"
    )
    _describe_pixels(classifier.backbone, progress)
    if train.minutes:
        progress.note(
            f"Time: {train.minutes:g} minutes at most for training (--minutes)"
        )
    if inputs.views == 1 and inputs.augment:
        progress.note("One view is the plain image: no augmentation takes place")
    counts = manifest.counts().values()
    if doubt := caution(inputs.mix, min(count["train"] for count in counts)):
        progress.warn(doubt)
    # More weights than all the numbers they are fitted to.
    if classifier.head_parameters > classifier.head_inputs * images:
        progress.warn(
            f"The head has {classifier.head_parameters:,} weights for {images} "
            f"images of {classifier.head_inputs:,} features each: it can learn them "
            "by heart. A head that starts with gap is far smaller."
        )


def _describe_pixels(backbone: Backbone, progress: Progress) -> None:
    """Tell what a network of the user's own gets, and why."""
    if not backbone.custom:
        return
    name, scaler = backbone.preprocessing.name, backbone.scaler
    why = f": the network scales them itself, by {scaler!r}" if scaler else ""
    if scaler and name != "none":
        progress.warn(f"Pixels are scaled twice, by preprocessing {name} and{why[1:]}")
    else:
        progress.note(f"Pixels: preprocessing {name}{why}")
