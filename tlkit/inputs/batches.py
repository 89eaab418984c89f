"""Examples in, uint8 pictures of one size out, made by workers ahead of the model."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tlkit.dataset import images
from tlkit.dataset.fitted import decode_fitted
from tlkit.dataset.manifest import Example, Manifest, read_example
from tlkit.inputs.augment import Policy, augment
from tlkit.inputs.mix import mix_batch
from tlkit.progress import Progress, track
from tlkit.workers import in_order


@dataclass(frozen=True)
class View:
    """One picture as the network shall see it; `draw` None is the plain picture."""

    source: Path
    example: Example
    size: int
    resize: str
    policy: Policy = ()
    draw: int | None = None
    seed: int = 0


def make_view(view: View) -> np.ndarray:
    """Read, fit and augment one picture; runs in a worker.

    Args:
        view: What to make.

    Returns:
        uint8 [size, size, 3].

    Raises:
        UnreadableImage: The file is gone, changed or damaged since it was prepared.
    """
    pixels = read_example(view.source, view.example, size=view.size, resize=view.resize)
    if view.draw is None:
        return pixels
    # The box is part of the dice: two crops of one photo are two pictures.
    digest = f"{view.example.sha256}{view.example.box or ''}"
    changed = augment(
        pixels, view.policy, digest=digest, draw=view.draw, seed=view.seed
    )
    if changed.shape != pixels.shape:
        changed = images.fit(changed, view.size, "squash")
    return changed


def read_fitted(path: Path, *, size: int, resize: str) -> np.ndarray | str:
    """Read a picture as the network takes it; runs in a worker.

    Args:
        path: The file.
        size: Side of the square, pixels.
        resize: One of images.RESIZES.

    Returns:
        uint8 [size, size, 3], or why it cannot be read.
    """
    try:
        return decode_fitted(images.read_bytes(path), size, resize)
    except images.UnreadableImage as error:
        return f"{error.reason}: {error.detail}" if error.detail else error.reason


def plain_pictures(
    manifest: Manifest,
    examples: Sequence[Example],
    *,
    size: int,
    resize: str,
    workers: int | None,
    progress: Progress,
    task: str,
) -> np.ndarray:
    """The pictures of a split without augmentation, all at once.

    Args:
        manifest: Knows where the pictures are.
        examples: Which ones.
        size: Side of the square, pixels.
        resize: One of images.RESIZES.
        workers: Number of processes; None is one a processor, 0 none.
        progress: Told of every picture.
        task: What to call it there.

    Returns:
        uint8 [N, size, size, 3], in the order of the examples.
    """
    pictures = np.empty((len(examples), size, size, 3), np.uint8)
    views = (View(manifest.source, example, size, resize) for example in examples)
    made = in_order(make_view, views, workers=workers)
    for i, pixels in enumerate(track(made, progress, task, len(examples))):
        pictures[i] = pixels
    return pictures


@dataclass(frozen=True)
class TrainingBatches:
    """The endless stream of training batches, each epoch a new order and new draws.

    Everything random is a pure function of (seed, epoch), so a stream that starts at
    a later epoch gives what an uninterrupted one would have given.
    """

    manifest: Manifest
    examples: Sequence[Example]
    size: int
    resize: str
    policy: Policy
    mix: str
    batch: int
    seed: int
    workers: int | None

    @property
    def steps(self) -> int:
        """Batches an epoch; the last one may be smaller."""
        return -(-len(self.examples) // self.batch)

    def order(self, epoch: int) -> np.ndarray:
        """The order of the examples in an epoch.

        Args:
            epoch: 0 and up.

        Returns:
            A permutation of the example indices.
        """
        return np.random.default_rng([self.seed, epoch]).permutation(len(self.examples))

    def stream(
        self, first_epoch: int = 0
    ) -> Generator[tuple[np.ndarray, np.ndarray], None, None]:
        """Batches without end, epoch after epoch.

        Args:
            first_epoch: Epoch to begin with.

        Yields:
            uint8 [B, size, size, 3] and targets: float32 [B, 1] with 1 for the second
            of two classes, else [B, n] with a row of class shares.
        """
        made = in_order(make_view, self._views(first_epoch), workers=self.workers)
        labels = np.asarray(self.manifest.targets(self.examples))
        classes = len(self.manifest.labels)
        epoch = first_epoch
        while True:
            order = self.order(epoch)
            for step in range(self.steps):
                chosen = order[step * self.batch : (step + 1) * self.batch]
                pixels = np.stack([next(made) for _ in chosen])
                targets = np.eye(classes, dtype=np.float32)[labels[chosen]]
                dice = np.random.default_rng([self.seed, epoch, step])
                pixels, targets = mix_batch(
                    pixels,
                    targets,
                    mix=self.mix,
                    seed=int(dice.integers(2**31)),
                )
                yield pixels, binary_column(targets)
            epoch += 1

    def _views(self, epoch: int) -> Iterator[View]:
        while True:
            for index in self.order(epoch):
                yield View(
                    self.manifest.source,
                    self.examples[index],
                    self.size,
                    self.resize,
                    self.policy,
                    epoch,
                    self.seed,
                )
            epoch += 1


def binary_column(targets: np.ndarray) -> np.ndarray:
    """Targets in the form that the network's output has.

    Args:
        targets: float32 [B, n], rows summing to 1.

    Returns:
        [B, 1], the share of the second class, where there are two; else as given.
    """
    return targets[:, 1:] if targets.shape[1] == 2 else targets
