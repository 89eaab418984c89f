"""A flat copy of a functional model, its submodels resolved into their layers.

Each layer is made again from its configuration, without its weights, and is used once,
so that the graph can be cut.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import keras

from tlkit.backbones.graph import Graph, functional_graph, run_graph
from tlkit.backbones.spec import RESERVED
from tlkit.errors import UsageError

# A layer computes in the precision of the run, unless it was quantized.
FLOATS = ("float32", "float16", "bfloat16", "mixed_float16", "mixed_bfloat16")


@dataclass
class FlatCopy:
    """A flat copy in the making; `sources` maps its names to the copied operations."""

    title: str
    sources: dict[str, keras.Operation] = field(default_factory=dict)
    _copied: set[int] = field(default_factory=set)
    _submodels: list[str] = field(default_factory=list)

    def copy(
        self, model: keras.Model, inputs: list[keras.KerasTensor]
    ) -> list[keras.KerasTensor]:
        """Apply copies of the layers of a model to inputs."""
        return run_graph(graph_of(model, self.title), inputs, self._call)

    def _call(self, operation: keras.Operation) -> Callable[..., Any]:
        if not isinstance(operation, keras.Model):
            return self._clone(operation)  # type: ignore[no-any-return]

        def call_submodel(*arguments: Any, **options: Any) -> Any:
            flat = keras.tree.flatten((arguments, options))
            inputs = [one for one in flat if isinstance(one, keras.KerasTensor)]
            # A training=False that it was called with is dropped: in Keras the
            # `training` of a call of the whole model takes precedence.
            self._submodels.append(operation.name)
            outputs = self.copy(operation, inputs)
            self._submodels.pop()
            return outputs

        return call_submodel

    def _clone(self, operation: keras.Operation) -> Any:
        if id(operation) in self._copied and getattr(operation, "weights", None):
            raise UsageError(
                f"{self.title} uses its layer {operation.name!r} at several places. "
                "Expected each layer with weights at one place, so that the network "
                "can be cut.",
                hint="Give each place a layer of its own.",
            )
        self._copied.add(id(operation))
        kind = type(operation)
        try:
            copy = kind.from_config(_config(operation))
        except (TypeError, ValueError, KeyError, AttributeError) as error:
            raise UsageError(
                f"{self.title} cannot be flattened: its layer {operation.name!r} "
                f"({kind.__name__}) cannot be made again from its configuration.",
                hint="Use Keras' own layers.",
            ) from error
        # Not by the configuration: a class that is not Keras' own may take no name.
        copy.name = self._free_name(operation.name)
        self.sources[copy.name] = operation
        return copy

    def _free_name(self, name: str) -> str:
        if RESERVED.fullmatch(name):
            name = f"own_{name}"
        if name in self.sources and self._submodels:
            name = f"{self._submodels[-1]}_{name}"
        stem, number = name, 1
        while name in self.sources:
            name = f"{stem}_{number}"
            number += 1
        return name


def graph_of(model: keras.Model, title: str) -> Graph:
    """Return the graph of layers that a model is made of."""
    graph = functional_graph(model)
    if graph is not None:
        return graph
    kind = type(model).__name__
    unbuilt = isinstance(model, keras.Sequential)
    what = "knows no shape of its input" if unbuilt else "is computed by its own code"
    raise UsageError(
        f"{title}: expected a graph of layers, but {model.name!r} ({kind}) {what}, so "
        "that it cannot be cut.",
        hint="Build it from keras.Input((size, size, 3)) with Keras' functional API, "
        "load its weights into that, and save it again.",
    )


def _config(operation: keras.Operation) -> dict[str, Any]:
    config: dict[str, Any] = operation.get_config()
    if isinstance(operation, keras.layers.Layer):
        config.pop("trainable", None)
        if operation.dtype_policy.name in FLOATS:
            config.pop("dtype", None)
    return config
