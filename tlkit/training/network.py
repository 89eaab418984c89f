"""The network of a run: as it is trained, and in float32 as it will be exported."""

from __future__ import annotations

from dataclasses import dataclass, field

import keras
import numpy as np

from tlkit.backbones.spec import OUTPUT
from tlkit.config import Config, size_of
from tlkit.device import dtype_policy
from tlkit.errors import RunError
from tlkit.model.classifier import (
    Classifier,
    Parts,
    build_classifier,
    refreeze,
    split_at_freeze,
)
from tlkit.model.freezing import freeze_point
from tlkit.model.head import is_linear, parse_head
from tlkit.tasks.task import Task
from tlkit.training.probe import Probe

# Weights by the place of their variable in the network.
Weights = dict[int, np.ndarray]


@dataclass
class Network:
    """A classifier in the precision of the training, and the same in float32.

    Attributes:
        trained: In the precision of the training.
        reference: In float32; the same one where that is the precision.
        device: From `device.choose_device`.
        policy: From `device.choose_precision`.
        untouched: Of all that a phase was allowed to change, what it was before: the
            weights, and where dropout stands in its random numbers.
    """

    trained: Classifier
    reference: Classifier
    device: str
    policy: str
    untouched: Weights = field(default_factory=dict)
    _parts: dict[tuple[int, str], Parts] = field(default_factory=dict)

    def freeze(self, above: str) -> str:
        """Let only what lies above a place train.

        Args:
            above: As in Phase.

        Returns:
            The layer it is frozen up to now, or "none".

        Raises:
            UsageError: There is no such place.
        """
        point = freeze_point(self.reference.base_model, above)
        same = self.trained is self.reference
        self.trained = refreeze(self.trained, point)
        self.reference = self.trained if same else refreeze(self.reference, point)
        model = self.reference.model
        frozen = [model.get_layer(name) for name in self.reference.frozen]
        held = {id(v) for layer in frozen for v in layer.variables}
        for place, variable in enumerate(_variables(self.reference)):
            if id(variable) not in held and place not in self.untouched:
                self.untouched[place] = np.array(variable)
        return self.trained.freeze_to

    def split(self, classifier: Classifier) -> Parts:
        """The frozen and the trainable part, the same ones whenever asked again.

        Args:
            classifier: One of this network's, as it is frozen now.

        Returns:
            As `split_at_freeze`; what Keras has traced of them can be used again.
        """
        key = id(classifier.model), classifier.freeze_to
        if key not in self._parts:
            self._parts[key] = split_at_freeze(classifier)
        return self._parts[key]

    def start_from(self, probe: Probe) -> bool:
        """Give the output layer the weights of a probe, where it has their shape."""
        if not is_linear(self.trained.head):
            return False
        kernel, bias = probe.kernel, probe.bias
        for one in {id(c): c for c in (self.trained, self.reference)}.values():
            output = one.model.get_layer(OUTPUT)
            if output.units == 1:
                output.kernel.assign(kernel[:, 1:] - kernel[:, :1])
                output.bias.assign(bias[1:] - bias[:1])
            else:
                output.kernel.assign(kernel)
                output.bias.assign(bias)
        return True

    def weights(self) -> Weights:
        """Copies of all that any phase was allowed to change."""
        variables = _variables(self.reference)
        return {place: np.array(variables[place]) for place in self.untouched}

    def mean(self, one: Weights, other: Weights) -> Weights:
        """Half way between two sets of weights.

        Args:
            one: From `weights`.
            other: Likewise.

        Returns:
            Their mean; what only one of them has is held against what it was before.
        """
        first, second = self.untouched | one, self.untouched | other
        return {
            place: _halfway(first[place], second[place])
            for place in one.keys() | other.keys()
        }

    def put_back(self, weights: Weights) -> None:
        """Make the network what it was when these weights were copied.

        Args:
            weights: From `weights`; what only later phases have changed becomes what
                it was before them. With none at all it is as it was built.
        """
        for one in (self.reference, self.trained):
            variables = _variables(one)
            for place, value in (self.untouched | weights).items():
                variables[place].assign(value)

    def check_frozen(self, before: str) -> None:
        """Make sure that what is frozen has not changed."""
        if self.trained.frozen_checksum() != before:
            raise RunError("Frozen weights have changed; this is a fault of tlkit.")


def build_network(config: Config, task: Task, device: str, policy: str) -> Network:
    """Build what a configuration describes, with its pretrained weights.

    Args:
        config: Resolved.
        task: What the network is asked.
        device: From `device.choose_device`.
        policy: From `device.choose_precision`.

    Returns:
        The network.
    """
    with dtype_policy(policy):
        trained = _build(config, task)
    reference = trained
    if policy != "float32":
        with dtype_policy("float32"):
            reference = _build(config, task)
    return Network(trained, reference, device, policy)


def _build(config: Config, task: Task) -> Classifier:
    model = config.model
    return build_classifier(
        model.row,
        size=size_of(config),
        cut=model.cut,
        freeze_to=model.freeze_to,
        head=parse_head(model.head),
        n_classes=task.classes,
        multi_label=task.multi_label,
        weights=str(model.weights),
        seed=config.train.seed,
    )


def _halfway(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """The mean; where dropout stands in its random numbers has none."""
    return one if one.dtype.kind == "u" else (one + other) / 2


def _variables(classifier: Classifier) -> list[keras.Variable]:
    """All of a network's own: not those that compiling it adds."""
    return [v for layer in classifier.model.layers for v in layer.variables]
