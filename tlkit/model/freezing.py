"""Where to freeze up to, so that a wanted share of a body's computing trains."""

from __future__ import annotations

import math

import keras

from tlkit.backbones.cut_points import NOTHING, backbone_operations, cut_operations
from tlkit.backbones.graph import output_of, producer
from tlkit.errors import UsageError
from tlkit.model.cost import layer_flops
from tlkit.model.phases import ALL, DEEP, HEAD, TOP

# Of the operations of a body up to its cut, the share that lies above the freeze
# point. Early layers cost most, for their maps are large, and change least in tuning.
SHARES = {TOP: 1 / 3, DEEP: 2 / 3}
# A point is as good as the wanted one if this much of its share lies above it; of
# those the one with the least numbers is taken, for that is what gets stored.
NEAR = 0.7


def freeze_point(body: keras.Model, above: str) -> str:
    """The layer to freeze up to.

    Args:
        body: Ends at the cut, behind its preprocessing.
        above: What is to train, as in Phase.

    Returns:
        The name of a layer at which the graph comes apart, or "none". "top" and "deep"
        are "none" where no point leaves so little above it.

    Raises:
        UsageError: The body has nothing above such a point that could train.
    """
    if above == HEAD:
        return str(producer(body.output).name)
    if above == ALL:
        return NOTHING
    if above not in SHARES:
        return above
    shares = shares_above(body)
    wanted = SHARES[above]
    for least in (NEAR * wanted, 0.0):
        fit = {name: s for name, s in shares.items() if least < s <= wanted}
        if fit:
            sizes = _sizes(body)
            return min(fit, key=lambda name: (sizes[name], -fit[name]))
    raise UsageError(
        f"phases: {body.name} cannot be frozen so that about a third or two of it "
        f"train, as {above!r} says: it comes apart nowhere between.",
        hint="Use head or all, or name a layer of tlkit backbones show.",
    )


def shares_above(body: keras.Model) -> dict[str, float]:
    """How much of the computing lies above each layer at which a body comes apart."""
    points = {id(point) for point in cut_operations(body)}
    below, total = {}, 0
    for operation in backbone_operations(body):
        if isinstance(operation, keras.layers.Layer):
            total += layer_flops(operation)
        if id(operation) in points:
            below[operation.name] = total
    return {name: 1 - done / max(total, 1) for name, done in below.items()}


def _sizes(body: keras.Model) -> dict[str, int]:
    return {p.name: math.prod(output_of(p).shape[1:]) for p in cut_operations(body)}
