"""The one way to the features of frozen layers: computed once, cached, looked up.

Feature vectors come from the cache where it has them. The rest is computed into it.
Where that cannot be, they are held in memory. Where that is too small, `extract`
returns None, and the caller computes them batch by batch, with the same result.
"""

from __future__ import annotations

import contextlib
import itertools
import math
import time
from collections.abc import Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from tlkit.cache_root import cache_root, cap_bytes
from tlkit.config import Config, size_of
from tlkit.dataset.manifest import Example
from tlkit.errors import RunError
from tlkit.features.cache import make_room
from tlkit.features.engines.base import GROUP, Engine, FrozenNetwork
from tlkit.features.engines.choose import build_engine
from tlkit.features.layers import TOGETHER, LayerSpec, layer_specs, pixel_spec
from tlkit.features.machine import Measurements, memory_bytes
from tlkit.features.store import Partition
from tlkit.features.vectors import Features, Found, pool
from tlkit.inputs.augment import load_policy
from tlkit.inputs.batches import grouped
from tlkit.inputs.views import ViewMaker, ViewRequest
from tlkit.progress import Progress

# The share of all memory that feature vectors may take which could not be cached.
SHARE_OF_MEMORY = 0.25


@dataclass
class ExtractionCost:
    """The cost of feature vectors: `cached` views were found, `views` were computed.

    `decode`, `augment` and `prefix` are seconds of processor time, over all processes
    and threads; `seconds` are those that passed.
    """

    cached: int = 0
    images: int = 0
    views: int = 0
    seconds: float = 0.0
    decode: float = 0.0
    augment: float = 0.0
    prefix: float = 0.0
    operations: int = 0

    @property
    def speed(self) -> dict[str, float]:
        """The rates of the whole: images are made while the network computes."""
        if not self.operations:
            return {}
        return {
            "images_per_s": round(self.views / self.seconds, 1),
            "gflops": round(self.operations / self.seconds / 1e9, 1),
        }

    def account(self) -> dict[str, Any]:
        """Return all of it for run.json."""
        seconds = ("seconds", "decode", "augment", "prefix")
        return {
            **{name: getattr(self, name) for name in ("cached", "images", "views")},
            **{name: round(getattr(self, name), 2) for name in seconds},
            **self.speed,
        }


@dataclass
class FeatureExtractor:
    """Finds the feature vectors of frozen layers, or computes them.

    Attributes:
        maker: Reads and augments the images.
        layers: What is extracted, from the input up; one layer for training, several
            to choose among.
        engine: Computes the maps at all layers; None where nothing is frozen.
        cache: Root of the cache; None to do without.
        workers: Number of processes; None is one a processor, 0 none.
        progress: Receives every view that is computed, and warnings.
        pooling: One of head.MAP_POOLINGS or "": the form that `inputs` returns.
        cost: Of all extraction so far.
    """

    maker: ViewMaker
    layers: tuple[LayerSpec, ...]
    engine: Engine | None
    cache: Path | None
    workers: int | None
    progress: Progress
    pooling: str = ""
    cost: ExtractionCost = field(default_factory=ExtractionCost)

    @classmethod
    def of(
        cls,
        config: Config,
        source: Path,
        network: FrozenNetwork | None,
        *,
        engine: str,
        pooling: str,
        device: str,
        progress: Progress,
    ) -> FeatureExtractor:
        """Set an extractor up by a configuration; nothing is computed yet.

        Args:
            config: Resolved.
            source: The root that the paths of examples start from.
            network: The frozen layers, with one output or several; None if nothing is
                frozen.
            engine: "openvino" or "keras", from `choose_engine`.
            pooling: One of head.MAP_POOLINGS where the head begins with it right at
                the output of `network`, else "".
            device: From `device.choose_device`.
            progress: Receives every view that is computed, and warnings.

        Returns:
            The extractor, with no cost so far.
        """
        size, root = size_of(config), cache_root()
        built: Engine | None = None
        layers: tuple[LayerSpec, ...] = (pixel_spec(size),)
        if network:
            built = build_engine(engine, network, Measurements(root), device)
            backbone = config.model.row.identity
            layers = layer_specs(
                network, built, pooled=bool(pooling), backbone=backbone, size=size
            )
        inputs, train = config.inputs, config.train
        policy = load_policy(inputs.augment)
        return cls(
            ViewMaker(source, size, inputs.resize, policy, train.seed),
            layers,
            built,
            root if train.cache else None,
            inputs.workers,
            progress,
            pooling,
        )

    @property
    def partitions(self) -> list[Partition | None]:
        """The place in the cache of each layer, if there is one."""
        if self.cache is None:
            return [None for _ in self.layers]
        return [
            Partition(self.cache, layer.about, layer.shape, layer.dtype)
            for layer in self.layers
        ]

    def extract(
        self, examples: Sequence[Example], views: Sequence[int], task: str
    ) -> list[Features] | None:
        """Find or compute the feature vectors of every example in every view.

        Args:
            examples: Which ones.
            views: Which views of each.
            task: What to call the work.

        Returns:
            For each layer, with views in the order of `views`; None if they fit neither
            into the cache nor into memory. What is missing anywhere is computed in one
            pass.
        """
        keys = [[self.maker.key(e, view) for view in views] for e in examples]
        needed = {key for row in keys for key in row}
        found = [p.find(needed) if p else Found(needed) for p in self.partitions]
        present = set.intersection(*(set(one.places) for one in found))
        self.cost.cached += sum(key in present for row in keys for key in row)
        for fill in (self._fill_cache, self._fill_memory):
            lacking = [number for number, one in enumerate(found) if one.missing]
            if lacking:
                if TOGETHER in self.layers[-1].about:
                    lacking = list(range(len(found)))
                present = set.intersection(*(set(found[i].places) for i in lacking))
                missing = _missing(examples, views, keys, present)
                fill(missing, lacking, found, task)
        if any(one.missing for one in found):
            return None
        return [one.of(keys) for one in found]

    def require(
        self, examples: Sequence[Example], views: Sequence[int], task: str, hint: str
    ) -> list[Features]:
        """Find or compute feature vectors that the caller cannot do without.

        Args:
            examples: As for `extract`.
            views: Likewise.
            task: Likewise.
            hint: What to do where there is no room.

        Returns:
            For each layer, with views in the order of `views`.

        Raises:
            RunError: They fit neither into the cache nor into memory.
        """
        found = self.extract(examples, views, task)
        if found is None:
            count = len(examples) * len(views) * len(self.layers)
            raise RunError(
                f"{count:,} feature vectors of {len(examples):,} images fit neither "
                "into the cache nor into memory.",
                hint=hint,
            )
        return found

    def stream(
        self, groups: Iterable[np.ndarray]
    ) -> Generator[tuple[np.ndarray, ...], None, None]:
        """Compute the feature vectors of groups of images, past the cache.

        Args:
            groups: uint8 [B, S, S, 3] each.

        Yields:
            [B, *shape] for each layer, group by group.
        """
        yield from self._run(groups, range(len(self.layers)))

    def report(self) -> None:
        """Note how fast feature vectors were computed, and where the time went."""
        cost, engine, note = self.cost, self.engine, self.progress.note
        if cost.cached:
            note(f"Took {cost.cached:,} views from the cache")
        if engine is None or not cost.views:
            return
        note(
            f"Computed {cost.views:,} views of {cost.images:,} images in "
            f"{cost.seconds:.1f} s: {cost.speed['images_per_s']:.0f} a second by "
            f"{engine.name} in {engine.compute}, {cost.speed['gflops']:.0f} GFLOP/s"
        )
        note(
            f"Processor seconds: decode {cost.decode:.1f}, augment {cost.augment:.1f}, "
            f"prefix {cost.prefix:.1f}"
        )

    def _run(
        self, groups: Iterable[np.ndarray], layers: Sequence[int]
    ) -> Generator[tuple[np.ndarray, ...], None, None]:
        if self.engine is None:
            yield from ((group,) for group in groups)
            return
        whole = len(layers) == len(self.layers)
        engine = self.engine if whole else self.engine.only(layers)
        specs = [self.layers[number] for number in layers]
        for maps in engine.run(groups):
            rounded = (one.astype(engine.dtype, copy=False) for one in maps)
            yield tuple(
                pool(one) if len(spec.shape) == 2 else one
                for one, spec in zip(rounded, specs, strict=True)
            )

    def _compute(
        self, missing: Sequence[ViewRequest], task: str, layers: Sequence[int]
    ) -> Iterator[tuple[list[bytes], tuple[np.ndarray, ...]]]:
        """Compute vectors in the order asked for, and count what they cost."""
        began, busy = time.perf_counter(), time.process_time()
        self.progress.start(task, _count(missing))
        keys = (self.maker.key(one.example, v) for one in missing for v in one.views)
        flops_an_image = self.layers[layers[-1]].flops
        try:
            for vectors in self._run(self._groups(missing), layers):
                views = len(vectors[0])
                self.progress.advance(views)
                self.cost.views += views
                self.cost.operations += views * flops_an_image
                yield list(itertools.islice(keys, views)), vectors
        finally:
            self.cost.seconds += time.perf_counter() - began
            self.cost.prefix += time.process_time() - busy

    def _groups(self, missing: Sequence[ViewRequest]) -> Iterator[np.ndarray]:
        """Yield the images of all views in groups of GROUP, the last with fewer."""
        most = max(len(one.views) for one in missing)
        made = self.maker.stream(missing, most=most, workers=self.workers)

        def images() -> Iterator[np.ndarray]:
            for pixels, cost in made:
                self.cost.images += 1
                self.cost.decode += cost.decode
                self.cost.augment += cost.augment
                yield from pixels

        yield from grouped(images(), GROUP)

    def _fill_cache(
        self,
        missing: list[ViewRequest],
        layers: list[int],
        found: list[Found],
        task: str,
    ) -> None:
        """Compute into the cache, as far as that goes."""
        partitions = [p for number in layers if (p := self.partitions[number])]
        if not partitions or not self._has_room(partitions, missing):
            return
        try:
            with contextlib.ExitStack() as opened:
                writers = [opened.enter_context(one.write()) for one in partitions]
                for keys, vectors in self._compute(missing, task, layers):
                    for writer, part in zip(writers, vectors, strict=True):
                        writer.append(keys, part)
        except OSError as error:
            self.progress.warn(
                f"The feature cache in {self.cache} cannot be written to "
                f"({error.strerror or error}): going on without it"
            )
        for number, partition in zip(layers, partitions, strict=True):
            found[number] = partition.find(found[number].keys)

    def _has_room(
        self, partitions: list[Partition], missing: list[ViewRequest]
    ) -> bool:
        needed = _count(missing) * sum(one.vector_bytes for one in partitions)
        cap = cap_bytes()
        if make_room(partitions[0].root, needed, cap):
            return True
        self.progress.warn(
            f"The features need {needed / 1e9:.1f} GB, the cache may hold "
            f"{cap / 1e9:.1f} GB (TLKIT_CACHE_GB): going on without it"
        )
        return False

    def _fill_memory(
        self,
        missing: list[ViewRequest],
        layers: list[int],
        found: list[Found],
        task: str,
    ) -> None:
        """Compute into memory, if there is enough of it."""
        # 4 bytes a number at most, whatever the dtype.
        vector_bytes = 4 * sum(math.prod(self.layers[i].shape) for i in layers)
        if _count(missing) * vector_bytes > SHARE_OF_MEMORY * memory_bytes():
            return
        held: list[tuple[np.ndarray, ...]] = []
        order: list[bytes] = []
        for keys, vectors in self._compute(missing, task, layers):
            held.append(vectors)
            order += keys
        places = {key: place for place, key in enumerate(order)}
        for number, parts in zip(layers, zip(*held, strict=True), strict=True):
            found[number].add(np.concatenate(parts), places)


def _missing(
    examples: Sequence[Example],
    views: Sequence[int],
    keys: list[list[bytes]],
    present: set[bytes],
) -> list[ViewRequest]:
    """Return what is not present, of images with the same pixels only the first."""
    known = set(present)
    missing = []
    for example, row in zip(examples, keys, strict=True):
        lacking = []
        for view, key in zip(views, row, strict=True):
            if key not in known:
                known.add(key)
                lacking.append(view)
        if lacking:
            missing.append(ViewRequest(example, tuple(lacking)))
    return missing


def _count(missing: Sequence[ViewRequest]) -> int:
    return sum(len(one.views) for one in missing)
