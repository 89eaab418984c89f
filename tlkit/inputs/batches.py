"""Training batches of pixels and targets, made ahead of the model."""

from __future__ import annotations

import itertools
from collections.abc import Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from tlkit.dataset.example import Example
from tlkit.inputs.mixing import mix_batch
from tlkit.inputs.sampler import Schedule
from tlkit.inputs.views import PLAIN, ViewMaker, ViewRequest


@dataclass(frozen=True)
class PixelBatches:
    """The endless stream of training batches, epoch after epoch.

    Everything random is a pure function of (seed, epoch), so a stream that starts at
    a later epoch gives what an uninterrupted one would have given.

    Attributes:
        maker: Reads and augments the images.
        examples: Of the training split.
        shares: float32 [N, n], the class shares of each example.
        schedule: Order and views.
        mix: One of mixing.MIXES.
        workers: Number of processes; None is one per processor, 0 none.
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
        """Make batches without end, epoch after epoch.

        Args:
            first_epoch: Epoch to begin with.

        Yields:
            uint8 [B, size, size, 3] and float32 [B, n], the shares of the classes.
        """
        requests = self._requests(first_epoch)
        made = self.maker.stream(requests, most=1, workers=self.workers)
        try:
            for epoch in itertools.count(first_epoch):
                for step, batch in enumerate(self.schedule.batches(epoch)):
                    taken = itertools.islice(made, len(batch.examples))
                    (pixels,) = grouped((p[0] for p, _ in taken), len(batch.examples))
                    rng = np.random.default_rng([self.schedule.seed, epoch, step])
                    yield mix_batch(
                        pixels,
                        self.shares[batch.examples],
                        mix=self.mix,
                        seed=int(rng.integers(2**31)),
                    )
        finally:
            made.close()

    def _requests(self, first_epoch: int) -> Iterator[ViewRequest]:
        for epoch in itertools.count(first_epoch):
            for batch in self.schedule.batches(epoch):
                for index, view in zip(*batch, strict=True):
                    yield ViewRequest(self.examples[index], (int(view),))


def grouped(images: Iterable[np.ndarray], size: int) -> Iterator[np.ndarray]:
    """Put arrays together in groups.

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
    """Read the plain images of examples.

    Args:
        maker: How they are read.
        examples: Which ones.
        size: Images a batch; the last may have fewer.
        workers: Number of processes; None is one per processor, 0 none.

    Returns:
        An iterator over uint8 [B, S, S, 3].
    """
    requests = (ViewRequest(example, (PLAIN,)) for example in examples)
    made = maker.stream(requests, most=1, workers=workers)
    return grouped((pixels[0] for pixels, _ in made), size)
