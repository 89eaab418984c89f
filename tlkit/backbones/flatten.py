"""A functional model in, the same as one flat graph on given pixels out.

Layers of submodels stand beside all others. Every layer is made again from its
configuration, without its weights, and stands once, so that the graph can be cut.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import keras
from keras.src.models.functional import Functional

from tlkit.backbones.graph import IMAGE, PREPROCESS
from tlkit.errors import UsageError
from tlkit.model.head import OUTPUT

# Names that tlkit gives itself; those of a model it has saved get another one.
CAST = "cast_pixels"
RESERVED = re.compile(rf"{IMAGE}|{PREPROCESS}|{CAST}|{OUTPUT}|head\d+_.*")
# What a layer computes in is up to the run, unless it was quantized.
FLOATS = ("float32", "float16", "bfloat16", "mixed_float16", "mixed_bfloat16")


@dataclass
class Flat:
    """A flat copy in the making.

    Attributes:
        title: What to call the model in messages.
        sources: Name in the copy to the operation it is a copy of.
    """

    title: str
    sources: dict[str, keras.Operation] = field(default_factory=dict)
    _seen: set[int] = field(default_factory=set)
    # Names of the submodels one is in.
    _inside: list[str] = field(default_factory=list)

    def copy(
        self, model: keras.Model, inputs: list[keras.KerasTensor]
    ) -> list[keras.KerasTensor]:
        """Lay the layers of a model onto inputs."""
        outputs = graph_of(model, self.title)._run_through_graph(
            inputs, operation_fn=self._copied
        )
        return keras.tree.flatten(outputs)  # type: ignore[no-any-return]

    def _copied(self, operation: keras.Operation) -> Callable[..., Any]:
        def call(*arguments: Any, **options: Any) -> Any:
            if isinstance(operation, keras.Model):
                return self._submodel(operation, arguments, options)
            return self._operation(operation, arguments, options)

        return call

    def _submodel(
        self, model: keras.Model, arguments: Any, options: dict[str, Any]
    ) -> Any:
        inputs = [
            one
            for one in keras.tree.flatten((arguments, options))
            if isinstance(one, keras.KerasTensor)
        ]
        # Whether it was called with training=False is left away: Keras itself lets the
        # `training` of a call of the whole win over that.
        self._inside.append(model.name)
        outputs = self.copy(model, inputs)
        self._inside.pop()
        return outputs

    def _operation(
        self, operation: keras.Operation, arguments: Any, options: dict[str, Any]
    ) -> Any:
        if id(operation) in self._seen and getattr(operation, "weights", None):
            raise UsageError(
                f"{self.title} uses its layer {operation.name!r} at several places. "
                "Expected each layer with weights at one place, so that the network "
                "can be cut.",
                hint="Give each place a layer of its own.",
            )
        self._seen.add(id(operation))
        name = self._free_name(operation.name)
        self.sources[name] = operation
        return self._clone(operation, name)(*arguments, **options)

    def _clone(self, operation: keras.Operation, name: str) -> keras.Operation:
        kind = type(operation)
        try:
            copy = kind.from_config(_config(operation))
        except (TypeError, ValueError, KeyError, AttributeError) as error:
            raise UsageError(
                f"{self.title} cannot be laid flat: its layer {operation.name!r} "
                f"({kind.__name__}) cannot be made again from its configuration.",
                hint="Networks of Keras' own layers can.",
            ) from error
        # Not by the configuration: a class that is not Keras' own may take no name.
        copy.name = name
        return copy

    def _free_name(self, name: str) -> str:
        if RESERVED.fullmatch(name):
            name = f"own_{name}"
        if name in self.sources and self._inside:
            name = f"{self._inside[-1]}_{name}"
        stem, number = name, 1
        while name in self.sources:
            name = f"{stem}_{number}"
            number += 1
        return name


def graph_of(model: keras.Model, title: str) -> Functional:
    """The graph that a model is made of."""
    if isinstance(model, keras.Sequential) and model._functional is not None:
        return model._functional
    if isinstance(model, Functional):
        return model
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
