"""What the frozen part says of every (image, view): computed once, kept, looked up.

Rows come from the cache where it has them. The rest is computed and put there; where
that cannot be, it is held in memory; where that is too small, None says so, and the
caller computes them batch by batch, with the same result.
"""

from __future__ import annotations

import contextlib
import itertools
import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from tlkit.cache_root import cap_bytes
from tlkit.dataset.manifest import Example
from tlkit.features.cache import make_room
from tlkit.features.engines.traced import GROUP
from tlkit.features.frozen import Frozen
from tlkit.features.machine import matmul_rate, memory_bytes
from tlkit.features.rows import Found, Rows
from tlkit.features.store import Shelf
from tlkit.inputs.batches import grouped
from tlkit.inputs.views import Asked, ViewMaker
from tlkit.progress import Progress

# Of all memory, the share that rows may take which could not be stored.
SHARE_OF_MEMORY = 0.25


@dataclass
class Spending:
    """What rows have cost: `stored` views were there, `views` were computed.

    `decode`, `augment` and `prefix` are seconds of processor time, over all processes
    and threads; `seconds` are those that passed.
    """

    stored: int = 0
    images: int = 0
    views: int = 0
    seconds: float = 0.0
    decode: float = 0.0
    augment: float = 0.0
    prefix: float = 0.0


@dataclass
class FeatureExtractor:
    """Finds rows, or has them computed.

    Attributes:
        maker: Reads and augments the images.
        frozen: Computes the rows, at one end or several.
        store: Root of the cache they are kept in; None to do without.
        workers: Number of processes; None is one a processor, 0 none.
        progress: Told of every view that is computed, and of what went wrong.
        spent: What it has cost so far.
        speed: How fast that was, once `tell` was called.
    """

    maker: ViewMaker
    frozen: Frozen
    store: Path | None
    workers: int | None
    progress: Progress
    spent: Spending = field(default_factory=Spending)
    speed: dict[str, float] = field(default_factory=dict)
    _operations: int = 0

    @property
    def shelves(self) -> list[Shelf | None]:
        """Where the rows of each end are kept, if they are."""
        if self.store is None:
            return [None for _ in self.frozen.ends]
        return [
            Shelf(self.store, end.about, end.shape, end.dtype)
            for end in self.frozen.ends
        ]

    def collect(
        self, examples: Sequence[Example], views: Sequence[int], task: str
    ) -> Rows | None:
        """The rows of every example in every view, where there is one end.

        Args:
            examples: Which ones.
            views: Which views of each.
            task: What to call the work.

        Returns:
            Rows, their second index in the order of `views`; None if they fit neither
            into the cache nor into memory.
        """
        found = self.collect_all(examples, views, task)
        return found[0] if found else None

    def collect_all(
        self, examples: Sequence[Example], views: Sequence[int], task: str
    ) -> list[Rows] | None:
        """The rows at all ends of every example in every view.

        What is missing is computed in one pass for all ends that miss any.

        Args:
            examples: As for `collect`.
            views: Likewise.
            task: Likewise.

        Returns:
            Those of each end; None as for `collect`.
        """
        keys = [[self.maker.key(e, view) for view in views] for e in examples]
        wanted = {key for row in keys for key in row}
        found = [Found.of(shelf, wanted) for shelf in self.shelves]
        there = set.intersection(*(set(one.places) for one in found))
        self.spent.stored += sum(key in there for row in keys for key in row)
        for keep in (self._store, self._hold):
            lacking = [i for i, one in enumerate(found) if wanted - one.places.keys()]
            if lacking:
                ends = self.frozen.along(lacking)
                there = set.intersection(*(set(found[i].places) for i in ends))
                keep(_missing(examples, views, keys, there), ends, found, task)
        if any(wanted - one.places.keys() for one in found):
            return None
        return [one.rows(keys) for one in found]

    def compute(
        self, asked: Sequence[Asked], task: str, ends: Sequence[int]
    ) -> Iterator[tuple[list[bytes], tuple[np.ndarray, ...]]]:
        """Compute rows, in the order asked for."""
        frozen = self.frozen.only(ends)
        began, busy = time.perf_counter(), time.process_time()
        total = sum(len(one.views) for one in asked)
        self.progress.start(task, total)
        keys = (self.maker.key(one.example, v) for one in asked for v in one.views)
        try:
            for rows in frozen.rows_of_all(self._groups(asked), total):
                views = len(rows[0])
                self.progress.advance(views)
                self.spent.views += views
                self._operations += views * frozen.end.flops
                yield list(itertools.islice(keys, views)), rows
        finally:
            self.spent.seconds += time.perf_counter() - began
            self.spent.prefix += time.process_time() - busy

    def tell(self) -> None:
        """Report how fast rows were computed, and where the time went.

        The rates are those of the whole: images were made at the same time.
        """
        spent, engine = self.spent, self.frozen.engine
        if spent.stored:
            self.progress.note(f"Took {spent.stored:,} views from the cache")
        if engine is None or not spent.views:
            return
        rate = spent.views / spent.seconds
        flops = self._operations / spent.seconds
        share = flops / matmul_rate(engine.compute)
        self.speed = {
            "images_per_s": round(rate, 1),
            "gflops": round(flops / 1e9, 1),
            "share_of_matmul": round(share, 3),
        }
        self.progress.note(
            f"Computed {spent.views:,} views of {spent.images:,} images in "
            f"{spent.seconds:.1f} s: {rate:.0f} a second by {engine.name} in "
            f"{engine.compute}, {flops / 1e9:.0f} GFLOP/s, {share:.0%} of what matrix "
            "multiplication reaches here"
        )
        self.progress.note(
            f"Processor seconds: decode {spent.decode:.1f}, augment "
            f"{spent.augment:.1f}, prefix {spent.prefix:.1f}"
        )

    def _groups(self, asked: Sequence[Asked]) -> Iterator[np.ndarray]:
        """Images of all views in groups of GROUP, the last with fewer."""
        most = max(len(one.views) for one in asked)
        made = self.maker.stream(asked, most=most, workers=self.workers)

        def images() -> Iterator[np.ndarray]:
            for pixels, cost in made:
                self.spent.images += 1
                self.spent.decode += cost.decode
                self.spent.augment += cost.augment
                yield from pixels

        yield from grouped(images(), GROUP)

    def _store(
        self, missing: list[Asked], ends: list[int], found: list[Found], task: str
    ) -> None:
        """Compute into the cache, as far as that goes."""
        shelves = [shelf for i in ends if (shelf := self.shelves[i])]
        if not shelves or not self._has_room(shelves, missing):
            return
        try:
            with contextlib.ExitStack() as opened:
                segments = [opened.enter_context(shelf.write()) for shelf in shelves]
                for keys, rows in self.compute(missing, task, ends):
                    for segment, part in zip(segments, rows, strict=True):
                        segment.append(keys, part)
        except OSError as error:
            self.progress.warn(
                f"The feature cache in {self.store} cannot be written to "
                f"({error.strerror or error}): going on without it"
            )
        for i, shelf in zip(ends, shelves, strict=True):
            found[i] = Found.of(shelf, found[i].wanted)

    def _has_room(self, shelves: list[Shelf], missing: list[Asked]) -> bool:
        row_bytes = sum(shelf.row_bytes for shelf in shelves)
        wanted, cap = _views(missing) * row_bytes, cap_bytes()
        if make_room(shelves[0].root, wanted, cap):
            return True
        self.progress.warn(
            f"The features need {wanted / 1e9:.1f} GB, the cache may hold "
            f"{cap / 1e9:.1f} GB (TLKIT_CACHE_GB): going on without it"
        )
        return False

    def _hold(
        self, missing: list[Asked], ends: list[int], found: list[Found], task: str
    ) -> None:
        """Compute into memory, if there is enough of it."""
        row_bytes = sum(math.prod(self.frozen.ends[i].shape) * 4 for i in ends)
        if _views(missing) * row_bytes > SHARE_OF_MEMORY * memory_bytes():
            return
        held: list[list[np.ndarray]] = []
        order: list[bytes] = []
        for keys, rows in self.compute(missing, task, ends):
            held.append(list(rows))
            order += keys
        for i, parts in zip(ends, zip(*held, strict=True), strict=True):
            found[i].add(order, np.concatenate(parts))


def _missing(
    examples: Sequence[Example],
    views: Sequence[int],
    keys: list[list[bytes]],
    there: set[bytes],
) -> list[Asked]:
    """What is neither there nor stands for the same pixels as another."""
    seen = set(there)
    missing = []
    for example, row in zip(examples, keys, strict=True):
        wanted = []
        for view, key in zip(views, row, strict=True):
            if key not in seen:
                seen.add(key)
                wanted.append(view)
        if wanted:
            missing.append(Asked(example, tuple(wanted)))
    return missing


def _views(missing: list[Asked]) -> int:
    return sum(len(one.views) for one in missing)
