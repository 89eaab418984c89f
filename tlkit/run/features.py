"""What the frozen part says of every (picture, view): computed once, kept, looked up.

Rows come from the store where it has them. The rest is computed and put there; where
that cannot be, it is held in memory; where that is too small, None says so, and the
caller computes them batch by batch, with the same result.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from tlkit.cache_root import cap_bytes
from tlkit.dataset.manifest import Example
from tlkit.inputs.batches import grouped
from tlkit.inputs.views import Asked, ViewMaker
from tlkit.progress import Progress
from tlkit.run.cache import make_room
from tlkit.run.frozen import Frozen
from tlkit.run.machine import matmul_rate, memory_bytes
from tlkit.run.store import Places, Shelf
from tlkit.run.traced import GROUP

# Of all memory, the share that rows may take which could not be stored.
SHARE_OF_MEMORY = 0.25


@dataclass(frozen=True)
class Rows:
    """Rows at hand, by example and view.

    Attributes:
        parts: [n, *shape] each, mapped or in memory.
        places: int [examples, views], which row, counted over all parts.
    """

    parts: tuple[np.ndarray, ...]
    places: np.ndarray

    def take(self, examples: np.ndarray, views: np.ndarray | int) -> np.ndarray:
        """Copy rows out.

        Args:
            examples: int [B].
            views: int [B], or one for all.

        Returns:
            [B, *shape].
        """
        places = self.places[examples, views]
        out = np.empty((len(places), *self.parts[0].shape[1:]), self.parts[0].dtype)
        first = 0
        for part in self.parts:
            here = (places >= first) & (places < first + len(part))
            out[here] = part[places[here] - first]
            first += len(part)
        return out


@dataclass
class Spending:
    """What rows have cost: `stored` views were there, `views` were computed.

    `decode`, `augment` and `prefix` are seconds of processor time, over all processes
    and threads; `seconds` are those that passed.
    """

    stored: int = 0
    pictures: int = 0
    views: int = 0
    seconds: float = 0.0
    decode: float = 0.0
    augment: float = 0.0
    prefix: float = 0.0


@dataclass
class Collector:
    """Finds rows, or has them computed.

    Attributes:
        maker: Reads and augments the pictures.
        frozen: Computes the rows.
        shelf: Where they are kept; None to do without.
        workers: Number of processes; None is one a processor, 0 none.
        progress: Told of every view that is computed, and of what went wrong.
        spent: What it has cost so far.
        speed: How fast that was, once `tell` was called.
    """

    maker: ViewMaker
    frozen: Frozen
    shelf: Shelf | None
    workers: int | None
    progress: Progress
    spent: Spending = field(default_factory=Spending)
    speed: dict[str, float] = field(default_factory=dict)

    def collect(
        self, examples: Sequence[Example], views: Sequence[int], task: str
    ) -> Rows | None:
        """The rows of every example in every view.

        Args:
            examples: Which ones.
            views: Which views of each.
            task: What to call the work.

        Returns:
            Rows, their second index in the order of `views`; None if they fit neither
            into the store nor into memory.
        """
        keys = [[self.maker.key(e, view) for view in views] for e in examples]
        wanted = {key for row in keys for key in row}
        parts, places = self._stored(wanted)
        self.spent.stored += sum(key in places for row in keys for key in row)
        missing = self._missing(examples, views, keys, places)
        if missing and self.shelf and self._has_room(self.shelf, missing):
            self._store(self.shelf, missing, task)
            parts, places = self._stored(wanted)
            missing = self._missing(examples, views, keys, places)
        if missing:
            if not self._affordable(missing):
                return None
            self._hold(missing, task, parts, places)
        table = np.array([[places[key] for key in row] for row in keys], np.int64)
        return Rows(tuple(parts), table.reshape(len(examples), len(views)))

    def compute(
        self, asked: Sequence[Asked], task: str
    ) -> Iterator[tuple[list[bytes], np.ndarray]]:
        """Compute rows, in the order asked for.

        Args:
            asked: Pictures and views.
            task: What to call the work.

        Yields:
            Keys and as many rows, a group at a time.
        """
        began, busy = time.perf_counter(), time.process_time()
        total = sum(len(one.views) for one in asked)
        self.progress.start(task, total)
        keys = (self.maker.key(one.example, v) for one in asked for v in one.views)
        try:
            for rows in self.frozen.rows(self._groups(asked), total):
                self.progress.advance(len(rows))
                self.spent.views += len(rows)
                yield list(itertools.islice(keys, len(rows))), rows
        finally:
            self.spent.seconds += time.perf_counter() - began
            self.spent.prefix += time.process_time() - busy

    def tell(self) -> None:
        """Report how fast rows were computed, and where the time went.

        The rates are those of the whole: pictures were made at the same time.
        """
        spent, engine = self.spent, self.frozen.engine
        if spent.stored:
            self.progress.note(f"Took {spent.stored:,} views from the store")
        if engine is None or not spent.views:
            return
        rate = spent.views / spent.seconds
        flops = rate * self.frozen.flops
        share = flops / matmul_rate(engine.compute)
        self.speed = {
            "images_per_s": round(rate, 1),
            "gflops": round(flops / 1e9, 1),
            "share_of_matmul": round(share, 3),
        }
        self.progress.note(
            f"Computed {spent.views:,} views of {spent.pictures:,} pictures in "
            f"{spent.seconds:.1f} s: {rate:.0f} a second by {engine.name} in "
            f"{engine.compute}, {flops / 1e9:.0f} GFLOP/s, {share:.0%} of what matrix "
            "multiplication reaches here"
        )
        self.progress.note(
            f"Processor seconds: decode {spent.decode:.1f}, augment "
            f"{spent.augment:.1f}, prefix {spent.prefix:.1f}"
        )

    def _groups(self, asked: Sequence[Asked]) -> Iterator[np.ndarray]:
        """Pictures of all views in groups of GROUP, the last with fewer."""
        most = max(len(one.views) for one in asked)
        made = self.maker.stream(asked, most=most, workers=self.workers)

        def pictures() -> Iterator[np.ndarray]:
            for pixels, cost in made:
                self.spent.pictures += 1
                self.spent.decode += cost.decode
                self.spent.augment += cost.augment
                yield from pixels

        yield from grouped(pictures(), GROUP)

    def _stored(self, wanted: set[bytes]) -> tuple[list[np.ndarray], Places]:
        """What the shelf has of it."""
        return self.shelf.find(wanted) if self.shelf else ([], {})

    def _missing(
        self,
        examples: Sequence[Example],
        views: Sequence[int],
        keys: list[list[bytes]],
        places: Places,
    ) -> list[Asked]:
        """What is neither stored nor stands for the same pixels as another."""
        seen: set[bytes] = set()
        missing = []
        for example, row in zip(examples, keys, strict=True):
            wanted = []
            for view, key in zip(views, row, strict=True):
                if key not in places and key not in seen:
                    seen.add(key)
                    wanted.append(view)
            if wanted:
                missing.append(Asked(example, tuple(wanted)))
        return missing

    def _has_room(self, shelf: Shelf, missing: list[Asked]) -> bool:
        wanted, cap = _bytes(missing, shelf.row_bytes), cap_bytes()
        if make_room(shelf.root, wanted, cap):
            return True
        self.progress.warn(
            f"The features need {wanted / 1e9:.1f} GB, the store may hold "
            f"{cap / 1e9:.1f} GB (TLKIT_CACHE_GB): going on without it"
        )
        return False

    def _store(self, shelf: Shelf, missing: list[Asked], task: str) -> None:
        """Compute into the store, as far as that goes."""
        try:
            with shelf.write() as segment:
                for keys, rows in self.compute(missing, task):
                    segment.append(keys, rows)
        except OSError as error:
            self.progress.warn(
                f"The feature store in {shelf.root} cannot be written to "
                f"({error.strerror or error}): going on without it"
            )

    def _affordable(self, missing: list[Asked]) -> bool:
        row_bytes = int(np.prod(self.frozen.shape)) * 4
        return _bytes(missing, row_bytes) <= SHARE_OF_MEMORY * memory_bytes()

    def _hold(
        self,
        missing: list[Asked],
        task: str,
        parts: list[np.ndarray],
        places: Places,
    ) -> None:
        """Compute into memory."""
        first = sum(map(len, parts))
        total, filled = sum(len(one.views) for one in missing), 0
        held = np.empty((0,))
        for keys, rows in self.compute(missing, task):
            if not filled:
                held = np.empty((total, *rows.shape[1:]), rows.dtype)
            held[filled : filled + len(rows)] = rows
            for key in keys:
                places[key] = first + filled
                filled += 1
        parts.append(held)


def _bytes(missing: list[Asked], row_bytes: int) -> int:
    return sum(len(one.views) for one in missing) * row_bytes
