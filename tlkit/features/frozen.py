"""The frozen part of a classifier, and the rows it gives, at one end or several."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from tlkit.backbones.graph import producer
from tlkit.features.engines.choose import build_engine
from tlkit.features.engines.traced import Engine, Traced
from tlkit.features.machine import Memory
from tlkit.model.cost import flops
from tlkit.model.head import BOTH, GAP, GMP

# Which of the two pooled rows a head takes.
POOLED = {GAP: [0], GMP: [1], BOTH: [0, 1]}
# Where the bits of an end depend on which others were computed along: these.
OTHERS = "along with"


@dataclass(frozen=True)
class End:
    """A layer at which the frozen part ends, and what its rows are.

    Attributes:
        about: What decides the rows besides the pixels.
        shape: Of a row: (H, W, C); (2, C), mean and maximum over the map, where the
            head begins by pooling; (S, S, 3) pixels where nothing is frozen.
        dtype: "float32", "bfloat16", or "uint8" for pixels.
        flops: Operations an image up to there.
    """

    about: dict[str, Any]
    shape: tuple[int, ...]
    dtype: str
    flops: int


@dataclass(frozen=True)
class Frozen:
    """The frozen part of a classifier with the engine that computes it.

    Attributes:
        ends: From the input up; one for training, several to choose among.
        engine: Computes the maps at all of them; None where nothing is frozen.
    """

    ends: tuple[End, ...]
    engine: Engine | None

    @property
    def end(self) -> End:
        """The deepest."""
        return self.ends[-1]

    def along(self, ends: Sequence[int]) -> list[int]:
        """Which ends are computed if some are wanted."""
        return list(range(len(self.ends)) if OTHERS in self.end.about else ends)

    def only(self, ends: Sequence[int]) -> Frozen:
        """The same with only some ends."""
        if self.engine is None or len(ends) == len(self.ends):
            return self
        return Frozen(tuple(self.ends[i] for i in ends), self.engine.only(ends))

    def rows(
        self, groups: Iterable[np.ndarray], images: int = 0
    ) -> Generator[np.ndarray, None, None]:
        """Compute the rows of groups of images, where there is one end."""
        for (rows,) in self.rows_of_all(groups, images):
            yield rows

    def rows_of_all(
        self, groups: Iterable[np.ndarray], images: int = 0
    ) -> Generator[tuple[np.ndarray, ...], None, None]:
        """Compute the rows of groups of images at all ends, in one pass."""
        if self.engine is None:
            yield from ((group,) for group in groups)
            return
        for maps in self.engine.run(groups, images):
            rounded = (one.astype(self.engine.dtype, copy=False) for one in maps)
            yield tuple(
                pooled(one) if len(end.shape) == 2 else one
                for one, end in zip(rounded, self.ends, strict=True)
            )


def frozen_part(
    network: Traced | None,
    engine: str,
    *,
    pooling: str,
    size: int,
    backbone: str,
    memory: Memory,
    device: str = "cpu:0",
) -> Frozen:
    """Describe a frozen part.

    Args:
        network: The prefix from `split_at_freeze`, or one with several outputs; None
            if nothing is frozen.
        engine: "openvino" or "keras".
        pooling: From `split_at_freeze`.
        size: Side of the images.
        backbone: Name of the network.
        memory: Where measurements of this machine are kept.
        device: From `device.choose_device`.

    Returns:
        The description, and the engine in it; nothing is computed yet.
    """
    if network is None:
        pixels = End({"pixels": size}, (size, size, 3), "uint8", 0)
        return Frozen((pixels,), None)
    built = build_engine(engine, network, memory, device)
    about = {"backbone": backbone, "size": size, "engine": built.numerics}
    names = [_name(output) for output in network.prefix.outputs]
    if len(names) > 1 and built.compute != "float32":
        # What is rounded to fewer digits on the way depends on where an answer is due.
        about[OTHERS] = names
    ends = []
    for number, name in enumerate(names):
        part = network.only([number])
        own = {**about, "end": name, "weights": part.checksum}
        height, width, channels = part.prefix.output_shape[1:]
        # Both poolings, so that changing the head from one to the other costs nothing.
        shape = (2, channels) if pooling else (height, width, channels)
        dtype = "float32" if pooling else built.dtype.name
        ends.append(End(own, shape, dtype, flops(part.prefix)))
    return Frozen(tuple(ends), built)


def _name(output: keras.KerasTensor) -> str:
    return str(producer(output).name)


def pooled(maps: np.ndarray) -> np.ndarray:
    """Mean and maximum over the places of a map."""
    wide = maps.astype(np.float32, copy=False)
    return np.stack([wide.mean(axis=(1, 2)), wide.max(axis=(1, 2))], axis=1)


def as_input(rows: np.ndarray, pooling: str) -> np.ndarray:
    """Rows in the form that the trainable part takes.

    Args:
        rows: [n, *shape].
        pooling: One of head.MAP_POOLINGS, or "".

    Returns:
        float32 [n, C], [n, 2 C] for both poolings, or [n, H, W, C]; pixels stay uint8.
    """
    if pooling:
        rows = rows[:, POOLED[pooling]].reshape(len(rows), -1)
    return rows if rows.dtype == np.uint8 else rows.astype(np.float32, copy=False)
