"""Images in, how far they lie from what a run was trained on out.

The distance to the K-th nearest training image, between pooled features at the cut of
length 1 (Sun et al. 2022, "Out-of-distribution detection with deep nearest neighbors",
arXiv 2204.06507). It assumes nothing about how the features are spread, where the other
usual measure, Mahalanobis' distance, wants more images than there are features.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import keras
import numpy as np

from tlkit import files
from tlkit.backbones.cut_points import output_of
from tlkit.dataset.manifest import Manifest
from tlkit.errors import RunError
from tlkit.evaluation.tta import view_maker
from tlkit.inputs.batches import plain_batches
from tlkit.progress import Progress
from tlkit.runs.result_dir import Run

# Few enough for the smallest classes, enough that one odd image is no neighborhood.
NEIGHBOURS = 5
FILE = "familiarity.npy"
BATCH = 32


@dataclass(frozen=True)
class Familiarity:
    """What a run was trained on, as pooled features.

    Attributes:
        network: uint8 [B, S, S, 3] to float32 [B, C], the mean over the map at the cut.
        known: float32 [N, C], of the training images, each of length 1.
    """

    network: keras.Model
    known: np.ndarray

    def distances(self, pixels: np.ndarray, *, trained_on: bool = False) -> np.ndarray:
        """How far images lie from those trained on."""
        cosines = features(self.network, [pixels]) @ self.known.T
        place = min(NEIGHBOURS + trained_on, len(self.known))
        nearest = -np.partition(-cosines, place - 1, axis=1)[:, place - 1]
        far: np.ndarray = np.sqrt(np.maximum(2 - 2 * nearest, 0))
        return far


def features(network: keras.Model, batches: Iterable[np.ndarray]) -> np.ndarray:
    """Pooled features of length 1."""
    rows = [np.asarray(network(pixels, training=False)) for pixels in batches]
    found = np.concatenate(rows).astype(np.float32)
    lengths = np.linalg.norm(found, axis=1, keepdims=True)
    long: np.ndarray = found / np.maximum(lengths, 1e-12)
    return long


def learn(
    run: Run,
    manifest: Manifest,
    model: keras.Model,
    *,
    workers: int | None,
    progress: Progress,
) -> Familiarity:
    """Look at the training images once, and keep what they look like in the run."""
    if (run.directory / FILE).exists():
        return remember(run, model)
    network, examples = _network(run, model), manifest.of("train")
    progress.start("Looking at the training images", len(examples))
    rows = []
    maker = view_maker(run, manifest.source)
    for pixels in plain_batches(maker, examples, BATCH, workers=workers):
        rows.append(features(network, [pixels]))
        progress.advance(len(pixels))
    known = np.concatenate(rows)
    draft = files.aside(run.directory / FILE).with_suffix(".npy")
    np.save(draft, known)
    draft.replace(run.directory / FILE)
    return Familiarity(network, known)


def remember(run: Run, model: keras.Model) -> Familiarity:
    """What `learn` has kept."""
    path = run.directory / FILE
    try:
        return Familiarity(_network(run, model), np.load(path))
    except (OSError, EOFError, ValueError) as error:
        raise RunError(
            f"{path} cannot be read: {error}.",
            hint=f"Delete it, and make it again: tlkit evaluate {run.directory} "
            "--unknown RULE --unknown-by distance",
        ) from error


def _network(run: Run, model: keras.Model) -> keras.Model:
    operations = {operation.name: operation for operation in model.operations}
    features = output_of(operations[run.config.model.cut])
    pooled = keras.layers.GlobalAveragePooling2D()(features)
    return keras.Model(model.inputs[0], pooled, name="features")
