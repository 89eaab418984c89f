"""The frozen part of a classifier, and the rows that it gives."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from tlkit.model.cost import flops
from tlkit.run.engine import build_engine
from tlkit.run.machine import Memory
from tlkit.run.traced import Engine, Traced


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
    device: str = "cpu:0",
) -> Frozen:
    """Describe a frozen part.

    Args:
        network: The prefix from `split_at_freeze`; None if nothing is frozen.
        engine: "openvino" or "keras".
        pooling: From `split_at_freeze`.
        size: Side of the pictures.
        backbone: Name of the network.
        memory: Where measurements of this machine are kept.
        device: From `device.choose_device`.

    Returns:
        The description, and the engine in it; nothing is computed yet.
    """
    if network is None:
        return Frozen({"pixels": size}, (size, size, 3), "uint8", None, 0)
    prefix = network.prefix
    built = build_engine(engine, network, memory, device)
    height, width, channels = prefix.output_shape[1:]
    about = {
        "backbone": backbone,
        "size": size,
        "end": prefix.output._keras_history.operation.name,
        "weights": network.digest,
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
