"""The frozen layers whose outputs are extracted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import keras

from tlkit.backbones.graph import producer
from tlkit.config import Config, size_of
from tlkit.device import dtype_policy
from tlkit.features.engines.base import Engine, FrozenNetwork
from tlkit.model.classifier import build_classifier
from tlkit.model.cost import flops
from tlkit.model.head import GAP, parse_head

# Key in the description of a layer whose bits depend on the layers that are computed
# with it: their names.
TOGETHER = "along with"


@dataclass(frozen=True)
class LayerSpec:
    """A layer whose output is extracted, and the form of its feature vectors.

    Attributes:
        about: What decides the vectors besides the pixels; JSON can hold it.
        shape: (H, W, C); (2, C), mean and maximum over the map, where pooled;
            (S, S, 3) pixels where nothing is frozen.
        dtype: "float32", "bfloat16", or "uint8" for pixels.
        flops: Operations per image up to there.
    """

    about: dict[str, Any]
    shape: tuple[int, ...]
    dtype: str
    flops: int


def pixel_spec(size: int) -> LayerSpec:
    """Describe the pixels, which are the features where nothing is frozen."""
    return LayerSpec({"pixels": size}, (size, size, 3), "uint8", 0)


def layer_specs(
    network: FrozenNetwork, engine: Engine, *, pooled: bool, backbone: str, size: int
) -> tuple[LayerSpec, ...]:
    """Describe the outputs of frozen layers, from the input up."""
    about = {"backbone": backbone, "size": size, "engine": engine.numerics}
    names = [str(producer(out).name) for out in network.model.outputs]
    if len(names) > 1 and engine.compute != "float32":
        # Where a result is due decides what is rounded to fewer digits on the way.
        about[TOGETHER] = names
    specs = []
    for number, name in enumerate(names):
        part = network.only([number])
        height, width, channels = part.model.output_shape[1:]
        specs.append(
            LayerSpec(
                {**about, "layer": name, "weights": part.checksum},
                # Both poolings, so that changing the head between them costs nothing.
                (2, channels) if pooled else (height, width, channels),
                "float32" if pooled else engine.dtype.name,
                flops(part.model),
            )
        )
    return tuple(specs)


def build_frozen(config: Config, cut: str, policy: str) -> keras.Model:
    """Build the frozen backbone of a configuration up to a cut, in a dtype policy."""
    model = config.model
    with dtype_policy(policy):
        classifier = build_classifier(
            model.row,
            size=size_of(config),
            cut=cut,
            freeze_to=cut,
            head=parse_head(GAP),
            n_classes=2,
            weights=str(model.weights),
            seed=config.train.seed,
        )
    return classifier.base_model
