"""The network of a run: as it is trained, and in float32 as it is exported."""

from __future__ import annotations

from dataclasses import dataclass, field

import keras
import numpy as np

from tlkit.backbones.spec import OUTPUT
from tlkit.config import Config, size_of
from tlkit.device import dtype_policy
from tlkit.model.classifier import Classifier, build_classifier
from tlkit.model.freezing import freeze_point
from tlkit.model.frozen_split import Parts, refreeze, split_at_freeze
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
        reference: In float32; the same object where that is the precision.
        device: From `device.choose_device`.
        policy: From `device.choose_precision`.
        initial: Initial values of all that some phase was allowed to change: weights,
            and the random state of dropout.
    """

    trained: Classifier
    reference: Classifier
    device: str
    policy: str
    initial: Weights = field(default_factory=dict)
    _parts: dict[tuple[int, str], Parts] = field(default_factory=dict)

    def freeze(self, trainable_from: str) -> str:
        """Make trainable what lies above a place.

        Args:
            trainable_from: As in Phase.

        Returns:
            The layer that the network is frozen up to now, or "none".

        Raises:
            UsageError: There is no such place.
        """
        point = freeze_point(self.reference.base_model, trainable_from)
        same = self.trained is self.reference
        self.trained = refreeze(self.trained, point)
        self.reference = self.trained if same else refreeze(self.reference, point)
        model = self.reference.model
        frozen = [model.get_layer(name) for name in self.reference.frozen]
        held = {id(v) for layer in frozen for v in layer.variables}
        for place, variable in enumerate(_variables(self.reference)):
            if id(variable) not in held and place not in self.initial:
                self.initial[place] = np.array(variable)
        return self.trained.freeze_to

    def split(self, classifier: Classifier) -> Parts:
        """Split at the freeze point, with the same parts for the same point.

        Args:
            classifier: `trained` or `reference`.

        Returns:
            As `split_at_freeze`; functions traced for the parts can be used again.
        """
        key = id(classifier.model), classifier.freeze_to
        if key not in self._parts:
            self._parts[key] = split_at_freeze(classifier)
        return self._parts[key]

    def start_from(self, probe: Probe) -> bool:
        """Give a linear head the weights of a probe; return whether it is one."""
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

    def copy_weights(self) -> Weights:
        """Copy all that any phase was allowed to change."""
        variables = _variables(self.reference)
        return {place: np.array(variables[place]) for place in self.initial}

    def average_weights(self, one: Weights, other: Weights) -> Weights:
        """Return the mean of two copies; what one lacks has its initial value there."""
        first, second = self.initial | one, self.initial | other
        return {
            place: _mean(first[place], second[place])
            for place in one.keys() | other.keys()
        }

    def restore_weights(self, weights: Weights) -> None:
        """Restore the network to when its weights were copied.

        Args:
            weights: From `copy_weights`; what only later phases have changed becomes
                what it was before them. Empty for the network as it was built.
        """
        for one in (self.reference, self.trained):
            variables = _variables(one)
            for place, value in (self.initial | weights).items():
                variables[place].assign(value)


def build_network(config: Config, task: Task, device: str, policy: str) -> Network:
    """Build the network of a configuration, with its pretrained weights.

    Args:
        config: Resolved.
        task: The kind of labels to predict.
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


def _mean(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    # The random state of dropout, unsigned integers, has no mean.
    return one if one.dtype.kind == "u" else (one + other) / 2


def _variables(classifier: Classifier) -> list[keras.Variable]:
    """Return the variables of the layers, without those that compiling adds."""
    return [v for layer in classifier.model.layers for v in layer.variables]
