"""Views of an image: uint8 pixels as the network sees them.

View 0 is the plain image, view -1 its horizontal flip. View 1 and up are augmented.
Each is a pure function of the image, the number, the policy and the seed: views can be
made in any order, alone, on any machine.
"""

from __future__ import annotations

import functools
import hashlib
import json
import time
from collections import deque
from collections.abc import Generator, Iterable, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import NamedTuple

import numpy as np

from tlkit.dataset.example import Example, read_example
from tlkit.imaging.resize import SPARE, decode_resized, fit
from tlkit.imaging.safe_read import Unusable, read_bytes
from tlkit.inputs.augment import Policy, augment, import_albumentations
from tlkit.workers import arrays_in_order

PLAIN = 0
HFLIP = -1
# To be raised whenever the same file would give other pixels.
DECODE_POLICY = 1


class ViewRequest(NamedTuple):
    """An image, and which views of it to make."""

    example: Example
    views: tuple[int, ...]


class ViewCost(NamedTuple):
    """The processor time that views have cost, in seconds."""

    decode: float
    augment: float


def get_ready() -> None:
    """Import what views are made with, in a worker, before there is work."""
    import_albumentations()


@dataclass(frozen=True)
class ViewMaker:
    """The way from the images of a data set to what the network sees.

    Attributes:
        source: The root that the paths of the examples start from.
        size: Side of the square, pixels.
        resize: One of resize.RESIZES.
        policy: Augmentation of views 1 and up.
        seed: Of the augmentation.
    """

    source: Path
    size: int
    resize: str
    policy: Policy = ()
    seed: int = 0

    def key(self, example: Example, view: int) -> bytes:
        """Return a key of the pixels of a view: equal keys mean equal pixels.

        Args:
            example: Which image.
            view: Which view of it.

        Returns:
            32 bytes, a SHA-256 of all that the pixels depend on: content of the file,
            box, decoding and size, and for view 1 and up policy and seed.
        """
        parts = f"{self._plain_policy} {example.sha256} {example.box}"
        if view == HFLIP:
            parts += " mirrored"  # not renamed: it is part of the keys in every cache
        elif view != PLAIN and self.policy:
            parts += f" {self._augment_policy} {view}"
        return hashlib.sha256(parts.encode()).digest()

    @functools.cached_property
    def _plain_policy(self) -> str:
        pillow = metadata.version("pillow")
        return json.dumps([DECODE_POLICY, SPARE, pillow, self.size, self.resize])

    @functools.cached_property
    def _augment_policy(self) -> str:
        versions = [metadata.version("albumentations"), metadata.version("numpy")]
        return json.dumps([self.policy, self.seed, *versions])

    def make(self, request: ViewRequest, out: np.ndarray) -> ViewCost:
        """Read an image once and write views of it to `out`; runs in a worker."""
        began = time.thread_time()
        example = request.example
        plain = read_example(self.source, example, size=self.size, resize=self.resize)
        decoded = time.thread_time()
        # The box is part of the draw: two crops of one photo are two images.
        checksum = f"{example.sha256}{example.box or ''}"
        self._draw(plain, checksum, request.views, out)
        return ViewCost(decoded - began, time.thread_time() - decoded)

    def read(self, path: Path, out: np.ndarray, *, views: Sequence[int]) -> str:
        """Make views of a file that is in no data set; runs in a worker.

        Args:
            path: The file.
            out: uint8 [K, size, size, 3], one for each of the views; written to.
            views: Which ones; the same pixels as `make` gives for the whole image.

        Returns:
            Why it cannot be read, "" if it could.
        """
        try:
            data = read_bytes(path)
            plain = decode_resized(data, self.size, self.resize)
        except Unusable as error:
            return f"{error.reason}: {error.detail}" if error.detail else error.reason
        self._draw(plain, hashlib.sha256(data).hexdigest(), views, out)
        return ""

    def _draw(
        self, plain: np.ndarray, checksum: str, views: Sequence[int], out: np.ndarray
    ) -> None:
        for i, view in enumerate(views):
            if view <= PLAIN:
                out[i] = plain if view == PLAIN else plain[:, ::-1]
                continue
            changed = augment(
                plain, self.policy, checksum=checksum, draw=view, seed=self.seed
            )
            if changed.shape != plain.shape:  # by a policy that crops
                changed = fit(changed, self.size, "squash")
            out[i] = changed

    def stream(
        self, requests: Iterable[ViewRequest], *, most: int, workers: int | None
    ) -> Generator[tuple[np.ndarray, ViewCost], None, None]:
        """Make views in worker processes, ahead of the consumer.

        Args:
            requests: What to make; may be endless, is drawn as needed.
            most: No image is asked for more views than this.
            workers: Number of processes; None is one per processor, 0 none.

        Yields:
            uint8 [K, size, size, 3], valid until the next is asked for, the views of an
            image in the order asked for; and what they cost.
        """
        shape = (most, self.size, self.size, 3)
        counts: deque[int] = deque()

        def counted() -> Iterable[ViewRequest]:
            for request in requests:
                counts.append(len(request.views))
                yield request

        made = arrays_in_order(self.make, counted(), shape, workers=workers)
        try:
            for array, cost in made:
                yield array[: counts.popleft()], cost
        finally:
            made.close()
