"""The messages of a run: what will be trained, and warnings about the result."""

from __future__ import annotations

from pathlib import Path

from tlkit.backbones.spec import Backbone
from tlkit.config import Config
from tlkit.dataset.manifest import Manifest
from tlkit.inputs.mixing import caution
from tlkit.model.classifier import Classifier
from tlkit.model.phases import AUTO, ONE
from tlkit.progress import Progress
from tlkit.training.train import TrainResult


def describe(
    classifier: Classifier,
    manifest: Manifest,
    config: Config,
    computing: str,
    progress: Progress,
) -> None:
    """Note what will be trained, and warn of what is unlikely to work."""
    images = len(manifest.of("train"))
    shape = "x".join(str(n) for n in classifier.feature_shape)
    inputs, train = config.inputs, config.train
    weights = Path(str(config.model.weights)).name
    frozen = f"frozen up to {classifier.freeze_to}"
    if classifier.freeze_to == "none":
        frozen = "nothing frozen"
    if train.phases == AUTO:
        frozen = "fine-tuning depth: automatic"
    elif train.phases != ONE:
        frozen = f"phases {train.phases}"
    progress.note(
        f"Data: {images} training, {len(manifest.of('val'))} validation and "
        f"{len(manifest.of('test'))} test images; the test images are not used"
    )
    progress.note(
        f"Network: {classifier.backbone.name} (weights: {weights}) up to "
        f"{classifier.cut} ({shape}), {frozen}; head of "
        f"{classifier.head_parameters:,} weights; {computing}"
    )
    _describe_pixels(classifier.backbone, progress)
    if train.minutes:
        progress.note(
            f"Time: {train.minutes:g} minutes at most for training (--minutes)"
        )
    if inputs.views == 1 and inputs.augment:
        progress.note("One view is the plain image: no augmentation takes place")
    counts = manifest.counts().values()
    if warning := caution(inputs.mix, min(count["train"] for count in counts)):
        progress.warn(warning)
    # More weights than numbers to fit them to.
    if classifier.head_parameters > classifier.head_inputs * images:
        progress.warn(
            f"The head has {classifier.head_parameters:,} weights for {images} "
            f"images of {classifier.head_inputs:,} features each: it can memorize "
            "them. A head that starts with gap is far smaller."
        )


def _describe_pixels(backbone: Backbone, progress: Progress) -> None:
    """Note how the pixels for a custom backbone are scaled, and why."""
    if not backbone.custom:
        return
    name, scaler = backbone.preprocessing.name, backbone.scaler
    why = f": the network scales them itself, by {scaler!r}" if scaler else ""
    if scaler and name != "none":
        progress.warn(f"Pixels are scaled twice, by preprocessing {name} and{why[1:]}")
    else:
        progress.note(f"Pixels: preprocessing {name}{why}")


def warn_of_unpredicted(result: TrainResult, progress: Progress) -> None:
    """Warn of classes that the selected candidate never predicts."""
    trainer = result.trainer
    compared = trainer.held_out or trainer.candidates
    found = next(one for one in compared if one.name == result.selected.name)
    if found.never_predicted:
        labels = trainer.manifest.labels
        names = ", ".join(labels[i] for i in found.never_predicted)
        progress.warn(
            f"{names}: predicted for none of the {len(found.correct)} images that "
            "selected the weights, though some show it. More images of it help most; "
            "--class-weights balanced counts rare classes more"
        )
