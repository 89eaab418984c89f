"""What the frozen part says of every (picture, view): computed once, kept, looked up.

Rows come from the store where it has them. The rest is computed and put there; where
that cannot be, it is held in memory; where that is too small, None says so, and the
caller computes them batch by batch, with the same result.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tlkit.dataset.manifest import Example
from tlkit.inputs.batches import grouped
from tlkit.inputs.views import Asked, ViewMaker
from tlkit.model.cost import flops
from tlkit.model.weights import layers_digest
from tlkit.progress import Progress
from tlkit.run.engine import GROUP, Engine, Traced, build_engine
from tlkit.run.machine import Memory, memory_bytes
from tlkit.run.store import Shelf, cap_bytes, make_room

# Of all memory, the share that rows may take which could not be stored.
SHARE_OF_MEMORY = 0.25


@dataclass(frozen=True)
class Frozen:
    """The frozen part of a classifier with the engine that computes it.

    Attributes:
        about: What decides the rows besides the pixels.
        shape: Of a row: (H, W, C); (2, C), mean and maximum over the map, where the
            head begins by pooling; (S, S, 3) pixels where nothing is frozen.
        dtype: "float32", "bfloat16", or "uint8" for pixels.
        engine: Computes the map; None where nothing is frozen.
        flops: Operations a picture.
    """

    about: dict[str, Any]
    shape: tuple[int, ...]
    dtype: str
    engine: Engine | None
    flops: int

    def rows(
        self, groups: Iterable[np.ndarray], pictures: int = 0
    ) -> Generator[np.ndarray, None, None]:
        """Compute the rows of groups of pictures.

        Args:
            groups: uint8 [n, S, S, 3] each.
            pictures: About how many there are in all, 0 if few.

        Yields:
            [n, *shape] for each group, in order.
        """
        if self.engine is None:
            yield from groups
            return
        for maps in self.engine.run(groups, pictures):
            rounded = maps.astype(self.engine.dtype, copy=False)
            yield pooled(rounded) if len(self.shape) == 2 else rounded


def frozen_part(
    network: Traced | None,
    engine: str,
    *,
    pooling: str,
    size: int,
    backbone: str,
    memory: Memory,
) -> Frozen:
    """Describe a frozen part.

    Args:
        network: The prefix from `split_at_freeze`; None if nothing is frozen.
        engine: "openvino" or "keras".
        pooling: From `split_at_freeze`.
        size: Side of the pictures.
        backbone: Name of the network.
        memory: Where measurements of this machine are kept.

    Returns:
        The description, and the engine in it; nothing is computed yet.
    """
    if network is None:
        return Frozen({"pixels": size}, (size, size, 3), "uint8", None, 0)
    prefix = network.prefix
    built = build_engine(engine, network, memory)
    height, width, channels = prefix.output_shape[1:]
    about = {
        "backbone": backbone,
        "size": size,
        "end": prefix.output._keras_history.operation.name,
        "weights": layers_digest(prefix.layers),
        "engine": built.numerics,
    }
    if pooling:
        # Both poolings, so that changing the head from one to the other costs nothing.
        return Frozen(about, (2, channels), "float32", built, flops(prefix))
    shape = (height, width, channels)
    return Frozen(about, shape, built.dtype.name, built, flops(prefix))


def pooled(maps: np.ndarray) -> np.ndarray:
    """Mean and maximum over the places of a map.

    Args:
        maps: [n, H, W, C].

    Returns:
        float32 [n, 2, C].
    """
    wide = maps.astype(np.float32, copy=False)
    return np.stack([wide.mean(axis=(1, 2)), wide.max(axis=(1, 2))], axis=1)


def as_input(rows: np.ndarray, pooling: str) -> np.ndarray:
    """Rows in the form that the trainable part takes.

    Args:
        rows: [n, *shape].
        pooling: "gap", "gmp" or "".

    Returns:
        float32 [n, C] or [n, H, W, C]; pixels stay uint8.
    """
    if pooling:
        rows = rows[:, 0 if pooling == "gap" else 1]
    return rows if rows.dtype == np.uint8 else rows.astype(np.float32, copy=False)


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
    """What computing rows has cost: pictures, views, seconds.

    `decode`, `augment` and `prefix` are seconds of processor time, over all processes
    and threads; `seconds` are those that passed.
    """

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
    """

    maker: ViewMaker
    frozen: Frozen
    shelf: Shelf | None
    workers: int | None
    progress: Progress
    spent: Spending = field(default_factory=Spending)

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
        parts, places = self._stored()
        missing = self._missing(examples, views, keys, places)
        if missing and self.shelf and self._has_room(missing):
            if self._store(missing, task):
                self.progress.note(self.speed())
            parts, places = self._stored()
            missing = self._missing(examples, views, keys, places)
        if missing:
            if not self._affordable(missing):
                return None
            self._hold(missing, task, parts, places)
            self.progress.note(self.speed())
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

    def speed(self) -> str:
        """A line on how fast the rows were computed."""
        spent = self.spent
        rate = spent.views / max(spent.seconds, 1e-9)
        return (
            f"Computed {spent.views} views of {spent.pictures} pictures in "
            f"{spent.seconds:.1f} s, {rate:.0f} a second"
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

    def _stored(self) -> tuple[list[np.ndarray], dict[bytes, int]]:
        """All rows of the shelf, and the place of each key."""
        parts: list[np.ndarray] = []
        places: dict[bytes, int] = {}
        first = 0
        for keys, rows in self.shelf.read() if self.shelf else ():
            parts.append(rows)
            for i in range(len(rows)):
                places[keys[32 * i : 32 * i + 32]] = first + i
            first += len(rows)
        return parts, places

    def _missing(
        self,
        examples: Sequence[Example],
        views: Sequence[int],
        keys: list[list[bytes]],
        places: dict[bytes, int],
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

    def _has_room(self, missing: list[Asked]) -> bool:
        shelf = self.shelf
        if shelf is None:
            return False
        wanted, cap = _bytes(missing, shelf.row_bytes), cap_bytes()
        if make_room(shelf.root, wanted, cap):
            return True
        self.progress.warn(
            f"The features need {wanted / 1e9:.1f} GB, the store may hold "
            f"{cap / 1e9:.1f} GB (TLKIT_CACHE_GB): going on without it"
        )
        return False

    def _store(self, missing: list[Asked], task: str) -> bool:
        """Compute into the store; whether all of it got there."""
        if self.shelf is None:
            return False
        try:
            with self.shelf.write() as segment:
                for keys, rows in self.compute(missing, task):
                    segment.append(keys, rows)
        except OSError as error:
            self.progress.warn(
                f"The feature store in {self.shelf.root} cannot be written to "
                f"({error.strerror or error}): going on without it"
            )
            return False
        return True

    def _affordable(self, missing: list[Asked]) -> bool:
        row_bytes = int(np.prod(self.frozen.shape)) * 4
        return _bytes(missing, row_bytes) <= SHARE_OF_MEMORY * memory_bytes()

    def _hold(
        self,
        missing: list[Asked],
        task: str,
        parts: list[np.ndarray],
        places: dict[bytes, int],
    ) -> None:
        """Compute into memory."""
        first = sum(map(len, parts))
        for keys, rows in self.compute(missing, task):
            parts.append(rows)
            for i, key in enumerate(keys):
                places[key] = first + i
            first += len(rows)


def _bytes(missing: list[Asked], row_bytes: int) -> int:
    return sum(len(one.views) for one in missing) * row_bytes
