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
from typing import NamedTuple

import numpy as np

from tlkit.cache_root import cache_root, cap_bytes
from tlkit.config import Config, size_of
from tlkit.dataset.example import Example
from tlkit.device import choose_device
from tlkit.errors import RunError
from tlkit.features.cache import make_room
from tlkit.features.engines.base import GROUP, Engine, FrozenNetwork
from tlkit.features.engines.choose import build_engine, choose_engine
from tlkit.features.extraction_cost import ExtractionCost
from tlkit.features.layers import TOGETHER, LayerSpec, layer_specs, pixel_spec
from tlkit.features.machine import Measurements, memory_bytes
from tlkit.features.store import Partition
from tlkit.features.vectors import Features, FoundVectors, pool
from tlkit.inputs.augment import load_policy
from tlkit.inputs.batches import grouped
from tlkit.inputs.views import ViewMaker, ViewRequest
from tlkit.model.head import GAP
from tlkit.progress import Progress

# The share of all memory that feature vectors may take which could not be cached.
SHARE_OF_MEMORY = 0.25


@dataclass
class FeatureExtractor:
    """Finds the feature vectors of frozen layers, or computes them.

    `pooling` is one of head.MAP_POOLINGS where a head begins with it at these layers.
    """

    maker: ViewMaker
    layers: tuple[LayerSpec, ...]  # from the input up
    engine: Engine | None  # computes all layers; None where nothing is frozen
    cache: Path | None  # root of the cache; None to do without
    workers: int | None  # None is one per processor, 0 none
    progress: Progress
    pooling: str = GAP
    cost: ExtractionCost = field(default_factory=ExtractionCost)

    @classmethod
    def of(
        cls,
        config: Config,
        source: Path,
        network: FrozenNetwork | None,
        progress: Progress,
        *,
        engine: str = "",
        pooling: str = GAP,
    ) -> FeatureExtractor:
        """Set an extractor up by a configuration; nothing is computed yet.

        Args:
            config: Resolved.
            source: The root that the paths of examples start from.
            network: The frozen layers, with one output or several; None if nothing is
                frozen.
            progress: Receives every view that is computed, and warnings.
            engine: "openvino" or "keras"; chosen by the configuration if empty.
            pooling: One of head.MAP_POOLINGS where the head begins with it right at
                the output of `network`, else "".

        Returns:
            The extractor, with no cost so far.
        """
        size, root, inputs = size_of(config), cache_root(), config.inputs
        built: Engine | None = None
        layers: tuple[LayerSpec, ...] = (pixel_spec(size),)
        if network:
            device = choose_device(config.train.device)
            engine = engine or choose_engine(config.train.engine, device, progress)
            built = build_engine(engine, network, Measurements(root), device)
            backbone = config.model.row.identity
            layers = layer_specs(
                network, built, pooled=bool(pooling), backbone=backbone, size=size
            )
        return cls(
            view_maker(config, source),
            layers,
            built,
            root if config.train.cache else None,
            inputs.workers,
            progress,
            pooling,
        )

    @classmethod
    def for_split(
        cls,
        split: str,
        config: Config,
        source: Path,
        trained: FrozenNetwork | None,
        reference: FrozenNetwork | None,
        progress: Progress,
        *,
        pooling: str = GAP,
    ) -> FeatureExtractor:
        """Set up the extractor of a split of a data set.

        Validation is scored by the float32 network in Keras, as it will be exported.
        The other splits take the engine of the configuration.

        Args:
            split: Such as "val".
            config: As for `of`.
            source: Likewise.
            trained: The frozen layers in the precision of the training.
            reference: The same in float32.
            progress: As for `of`.
            pooling: Likewise.

        Returns:
            The extractor.
        """
        engine = "keras"
        if split != "val" and reference:
            device = choose_device(config.train.device)
            engine = choose_engine(config.train.engine, device, progress)
        # OpenVINO chooses its precision itself, and starts from float32.
        exact = split == "val" or engine == "openvino"
        network = reference if exact else trained
        return cls.of(config, source, network, progress, engine=engine, pooling=pooling)

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
        """Find or compute the vectors of each layer; None where they have no room."""
        keys = [[self.maker.key(e, view) for view in views] for e in examples]
        needed = {key for row in keys for key in row}
        found = [p.find(needed) if p else FoundVectors(needed) for p in self.partitions]
        present = set.intersection(*(set(one.places) for one in found))
        self.cost.cached += sum(key in present for row in keys for key in row)
        for fill in (self._fill_cache, self._fill_memory):
            # What any layer lacks is computed in one pass.
            lacking = [number for number, one in enumerate(found) if one.missing]
            if lacking:
                if TOGETHER in self.layers[-1].about:
                    lacking = list(range(len(found)))
                present = set.intersection(*(set(found[i].places) for i in lacking))
                missing = _missing(examples, views, keys, present)
                fill(_Work(missing, lacking, task), found)
        if any(one.missing for one in found):
            return None
        return [one.of(keys) for one in found]

    def require(
        self, examples: Sequence[Example], views: Sequence[int], task: str, hint: str
    ) -> list[Features]:
        """Extract vectors that the caller cannot do without; RunError without room."""
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
        self, groups: Iterable[np.ndarray], layers: Sequence[int] = ()
    ) -> Generator[tuple[np.ndarray, ...], None, None]:
        """Compute the vectors of groups of images at layers, past the cache."""
        if self.engine is None:
            yield from ((group,) for group in groups)
            return
        layers = layers or range(len(self.layers))
        engine = self.engine
        if len(layers) < len(self.layers):
            engine = engine.only(layers)
        for maps in engine.run(groups):
            rounded = (one.astype(engine.dtype, copy=False) for one in maps)
            yield tuple(
                pool(one) if len(self.layers[number].shape) == 2 else one
                for one, number in zip(rounded, layers, strict=True)
            )

    def report(self) -> None:
        """Note how fast feature vectors were computed, and where the time went."""
        for note in self.cost.notes(self.engine):
            self.progress.note(note)

    def _compute(
        self, work: _Work
    ) -> Iterator[tuple[list[bytes], tuple[np.ndarray, ...]]]:
        """Compute vectors in the order asked for, and count what they cost."""
        began, busy = time.perf_counter(), time.process_time()
        self.progress.start(work.task, work.views)
        requests, cost = work.missing, self.cost
        keys = (self.maker.key(one.example, v) for one in requests for v in one.views)
        flops = self.layers[work.layers[-1]].flops
        try:
            groups = grouped(self._images(requests), GROUP)
            for vectors in self.stream(groups, work.layers):
                views = len(vectors[0])
                self.progress.advance(views)
                cost.views += views
                cost.operations += views * flops
                yield list(itertools.islice(keys, views)), vectors
        finally:
            cost.seconds += time.perf_counter() - began
            cost.prefix += time.process_time() - busy

    def _images(self, requests: Sequence[ViewRequest]) -> Iterator[np.ndarray]:
        most = max(len(one.views) for one in requests)
        for pixels, cost in self.maker.stream(
            requests, most=most, workers=self.workers
        ):
            self.cost.images += 1
            self.cost.decode += cost.decode
            self.cost.augment += cost.augment
            yield from pixels

    def _fill_cache(self, work: _Work, found: list[FoundVectors]) -> None:
        """Compute into the cache, as far as that goes."""
        partitions = [p for number in work.layers if (p := self.partitions[number])]
        if not partitions:
            return
        needed, cap = work.views * sum(p.vector_bytes for p in partitions), cap_bytes()
        if not make_room(partitions[0].root, needed, cap):
            self.progress.warn(
                f"The features need {needed / 1e9:.1f} GB, the cache may hold "
                f"{cap / 1e9:.1f} GB (TLKIT_CACHE_GB): going on without it"
            )
            return
        try:
            with contextlib.ExitStack() as opened:
                writers = [opened.enter_context(one.write()) for one in partitions]
                for keys, vectors in self._compute(work):
                    for writer, part in zip(writers, vectors, strict=True):
                        writer.append(keys, part)
        except OSError as error:
            self.progress.warn(
                f"The feature cache in {self.cache} cannot be written to "
                f"({error.strerror or error}): going on without it"
            )
        for number, partition in zip(work.layers, partitions, strict=True):
            found[number] = partition.find(found[number].keys)

    def _fill_memory(self, work: _Work, found: list[FoundVectors]) -> None:
        """Compute into memory, if there is enough of it."""
        # 4 bytes a number at most, whatever the dtype.
        vector_bytes = 4 * sum(math.prod(self.layers[i].shape) for i in work.layers)
        if work.views * vector_bytes > SHARE_OF_MEMORY * memory_bytes():
            return
        computed = list(self._compute(work))
        order = itertools.chain.from_iterable(keys for keys, _ in computed)
        places = {key: place for place, key in enumerate(order)}
        layers = zip(*(vectors for _, vectors in computed), strict=True)
        for number, parts in zip(work.layers, layers, strict=True):
            found[number].add(np.concatenate(parts), places)


class _Work(NamedTuple):
    """The views that are missing, at which layers, and a name for the work."""

    missing: list[ViewRequest]
    layers: list[int]
    task: str

    @property
    def views(self) -> int:
        return sum(len(one.views) for one in self.missing)


def view_maker(config: Config, source: Path) -> ViewMaker:
    """Return the maker of a configuration's views of the images under a root."""
    inputs = config.inputs
    policy = load_policy(inputs.augment)
    return ViewMaker(source, size_of(config), inputs.resize, policy, config.train.seed)


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
