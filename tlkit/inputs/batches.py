"""A schedule in, training batches of pixels and targets out, ahead of the model."""

from __future__ import annotations

import itertools
from collections.abc import Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from tlkit.dataset.manifest import Example
from tlkit.inputs.mixing import mix_batch
from tlkit.inputs.sampler import Schedule
from tlkit.inputs.views import PLAIN, Asked, ViewMaker


@dataclass(frozen=True)
class PixelBatches:
    """The endless stream of training batches, epoch after epoch.

    Everything random is a pure function of (seed, epoch), so a stream that starts at
    a later epoch gives what an uninterrupted one would have given.

    Attributes:
        maker: Reads and augments the images.
        examples: What is trained on.
        shares: float32 [N, n], the class shares of each example.
        schedule: Order and views.
        mix: One of mix.MIXES.
        workers: Number of processes; None is one a processor, 0 none.
    """

    maker: ViewMaker
    examples: Sequence[Example]
    shares: np.ndarray
    schedule: Schedule
    mix: str
    workers: int | None

    def stream(
        self, first_epoch: int = 0
    ) -> Generator[tuple[np.ndarray, np.ndarray], None, None]:
        """Batches without end, epoch after epoch.

        Args:
            first_epoch: Epoch to begin with.

        Yields:
            uint8 [B, size, size, 3] and float32 [B, n], the shares of the classes.
        """
        made = self.maker.stream(self._asked(first_epoch), most=1, workers=self.workers)
        epoch = first_epoch
        try:
            while True:
                for step, batch in enumerate(self.schedule.batches(epoch)):
                    taken = itertools.islice(made, len(batch.examples))
                    (pixels,) = grouped((p[0] for p, _ in taken), len(batch.examples))
                    dice = np.random.default_rng([self.schedule.seed, epoch, step])
                    yield mix_batch(
                        pixels,
                        self.shares[batch.examples],
                        mix=self.mix,
                        seed=int(dice.integers(2**31)),
                    )
                epoch += 1
        finally:
            made.close()

    def _asked(self, epoch: int) -> Iterator[Asked]:
        while True:
            for batch in self.schedule.batches(epoch):
                for index, view in zip(*batch, strict=True):
                    yield Asked(self.examples[index], (int(view),))
            epoch += 1


def grouped(images: Iterable[np.ndarray], size: int) -> Iterator[np.ndarray]:
    """Arrays put together in groups.

    Args:
        images: Of one shape; copied before the next is asked for.
        size: Arrays a group; the last may have fewer.

    Yields:
        [size, *shape], new memory each.
    """
    group, filled = np.empty(0), 0
    for image in images:
        if not filled:
            group = np.empty((size, *image.shape), image.dtype)
        group[filled] = image
        filled += 1
        if filled == size:
            yield group
            filled = 0
    if filled:
        yield group[:filled]


def plain_batches(
    maker: ViewMaker, examples: Sequence[Example], size: int, *, workers: int | None
) -> Iterator[np.ndarray]:
    """The plain images of some examples.

    Args:
        maker: How they are read.
        examples: Which ones.
        size: Images a batch; the last may have fewer.
        workers: Number of processes; None is one a processor, 0 none.

    Returns:
        An iterator over uint8 [B, S, S, 3].
    """
    asked = (Asked(example, (PLAIN,)) for example in examples)
    made = maker.stream(asked, most=1, workers=workers)
    return grouped((pixels[0] for pixels, _ in made), size)
