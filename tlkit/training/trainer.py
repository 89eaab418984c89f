"""The trainer: a probe and phases on one network, each result of which is a candidate.

A phase begins with the weights of the best candidate so far.
"""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import keras
import numpy as np

from tlkit.backbones.cut_points import NOTHING
from tlkit.config import Config, TrainConfig
from tlkit.dataset.manifest import Manifest
from tlkit.features.data_split import SplitFeatures, score
from tlkit.inputs.sampler import BALANCED
from tlkit.model.phases import HEAD, LAST, PROBE, Phase
from tlkit.progress import Progress
from tlkit.runs.timing import Clock
from tlkit.training.callbacks import Budget, PhaseDir
from tlkit.training.candidates import (
    AVERAGED,
    Candidate,
    score_candidate,
    select_best,
)
from tlkit.training.checkpoint import State
from tlkit.training.data import DataPipeline, build_pipeline
from tlkit.training.fit import epochs_of, fit
from tlkit.training.network import Network, Weights
from tlkit.training.plan import PlannedPhase
from tlkit.training.probe import Probe, fit_probe


@dataclass
class Trainer:
    """Runs phases on a network in place, and remembers the weights of each candidate.

    The test split of the data set is not used. Checkpoints and history are written to
    the directory; what is there already is resumed.
    """

    config: Config  # resolved
    manifest: Manifest
    network: Network
    directory: Path
    budget: Budget
    clock: Clock
    progress: Progress
    callbacks: Sequence[keras.callbacks.Callback] = ()  # added to every phase
    candidates: list[Candidate] = field(default_factory=list)
    held_out: list[Candidate] = field(default_factory=list)  # scored on folds
    phases: list[Phase] = field(default_factory=list)
    history: list[dict[str, Any]] = field(default_factory=list)
    _weights: dict[str, Weights] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.truth = self.manifest.multi_hot("val")
        self.groups = np.array([one.group for one in self.manifest.of("val")])
        self.pipeline: DataPipeline

    def probe(self) -> None:
        """Fit a linear probe on the frozen features, and start from it if possible."""
        began = time.perf_counter()
        train = self.config.train
        freeze_to = self.network.freeze(HEAD)
        pipeline = self._build_pipeline(train, views=1)
        self.clock.lap("features")
        groups = [example.group for example in pipeline.train.examples]
        probe = fit_probe(
            _features(pipeline.train),
            self.manifest.targets("train"),
            np.unique(groups, return_inverse=True)[1],
            classes=len(self.manifest.labels),
            seed=train.seed,
            balanced=BALANCED in (train.class_weights, self.config.inputs.sampling),
        )
        taken = self.network.start_from(probe)
        # As the network computes it, in float32, where it takes the probe.
        scores = (
            score(pipeline.exact, pipeline.val)
            if taken
            else probe(_features(pipeline.val))
        )
        self.clock.lap("probe")
        found = self._score(PROBE, freeze_to, scores, began)
        self._note_probe(probe, found, taken)
        if taken:
            self._add(found)

    def run(self, planned: PlannedPhase) -> None:
        """Run a phase, starting from the best candidate so far.

        Where pretrained layers are tuned, the mean of the weights before and after is
        a candidate as well, if it is asked for or candidates are selected among.
        """
        before = self.best() if self.candidates else None
        if before:
            self.restore(before)
        after = self._fit(planned)
        tunes = planned.trainable_from != HEAD
        if before and tunes and (planned.average or self.selects):
            self._average(before, after)

    def _fit(self, planned: PlannedPhase) -> Candidate:
        """Train a phase to its end."""
        began = time.perf_counter()
        network = self.network
        freeze_to = network.freeze(planned.trainable_from)
        pipeline = self._build_pipeline(planned.train, planned.views)
        self.clock.lap("features")
        name = planned.trainable_from
        earlier = sum(phase.trainable_from == name for phase in self.phases)
        name = f"{name}-{earlier + 1}" if earlier else name
        self._note_frozen(freeze_to)
        checkpoint = fit(
            pipeline,
            planned.train,
            PhaseDir(self.directory, len(self.phases) + 1, name),
            earlier=self.history,
            frozen=network.trained.frozen,
            device=network.device,
            budget=self.budget,
            progress=self.progress,
            callbacks=self.callbacks,
        )
        self.clock.lap("train")
        for model in {id(m): m for m in (pipeline.model, pipeline.exact)}.values():
            checkpoint.restore_best(model)
        self.history = checkpoint.rows()
        state = checkpoint.state
        epochs = _epochs_planned(state, planned.train, pipeline.schedule.steps)
        # Where the time ran out, config.yaml repeats what was done.
        done = state.epochs if state.out_of_time else epochs
        self.phases.append(Phase(planned.trainable_from, done, planned.train.lr))
        found = self._score(
            name,
            freeze_to,
            score(pipeline.exact, pipeline.val),
            began,
            epochs=state.epochs,
            best_epoch=state.best_epoch,
            stopped=state.stopped and state.epochs < epochs,
        )
        self._add(found)
        return found

    def _average(self, before: Candidate, after: Candidate) -> None:
        """Add the mean of the weights before and after a phase as a candidate.

        It is often better than either, and hardly ever worse than both (WiSE-FT,
        Wortsman et al. 2022, arXiv 2109.01903), at no cost.
        """
        began = time.perf_counter()
        ends = (self._weights[one.name] for one in (before, after))
        self.network.restore_weights(self.network.average_weights(*ends))
        self._add(
            self._score(
                after.name + AVERAGED,
                after.freeze_to,
                score(self.pipeline.exact, self.pipeline.val),
                began,
                best_epoch=after.best_epoch,
                averaged=after.name,
            )
        )

    def for_fold(
        self, manifest: Manifest, directory: Path, minutes: float, progress: Progress
    ) -> Trainer:
        """Return a trainer for a fold, with the network as it was built."""
        self.network.restore_weights({})
        return Trainer(
            self.config,
            manifest,
            self.network,
            directory,
            budget=self.budget.at_most(minutes),
            clock=Clock(),
            progress=progress,
        )

    @property
    def selects(self) -> bool:
        """True if candidates are selected on the validation split."""
        return self.config.train.monitor != LAST

    def best(self) -> Candidate:
        """Return the best candidate by the monitor."""
        return select_best(self.candidates, self.config.train.monitor)

    def restore(self, candidate: Candidate) -> None:
        """Give the network the weights of a candidate."""
        self.network.restore_weights(self._weights[candidate.name])

    def epoch_of(self, candidate: Candidate) -> int:
        """Return the epoch of a candidate, over all phases; 0 for the probe."""
        phase = candidate.averaged or candidate.name
        epochs = {one.name: one.epochs for one in self.candidates}
        before = list(epochs)[: list(epochs).index(phase)]
        return sum(epochs[name] for name in before) + candidate.best_epoch

    def describe(self, candidate: Candidate) -> str:
        """Return which weights a candidate has, for messages."""
        if candidate.averaged:
            return f"the mean of the weights before and after {candidate.averaged}"
        if not candidate.best_epoch:
            return "the linear probe"
        return f"epoch {self.epoch_of(candidate)} of {len(self.history)}"

    def _build_pipeline(
        self, train: TrainConfig, views: int | str | None
    ) -> DataPipeline:
        inputs = self.config.inputs
        if views is not None:
            inputs = dataclasses.replace(inputs, views=views)
        config = dataclasses.replace(self.config, inputs=inputs, train=train)
        self.pipeline = build_pipeline(
            config, self.manifest, self.network, self.progress
        )
        return self.pipeline

    def _score(
        self, name: str, freeze_to: str, scores: np.ndarray, began: float, **more: Any
    ) -> Candidate:
        task, seconds = self.network.trained.task, time.perf_counter() - began
        more["seconds"] = seconds
        return score_candidate(
            task, self.truth, self.groups, name, freeze_to, scores, **more
        )

    def _add(self, candidate: Candidate) -> None:
        self.candidates.append(candidate)
        self._weights[candidate.name] = self.network.copy_weights()

    def _note_probe(self, probe: Probe, found: Candidate, taken: bool) -> None:
        how = "as a class has too few images for cross-validation"
        if probe.folds:
            correct = probe.held_out.argmax(axis=1) == self.manifest.targets("train")
            how = (
                f"selected by {probe.folds} folds of the training split, with accuracy "
                f"{correct.mean():.3f} there"
            )
        start = "" if taken else "; the configured head cannot start from it"
        self.progress.note(
            f"Linear probe: val loss {found.loss:.4f}  val acc {found.accuracy:.3f}; "
            f"C = {probe.strength:g}, {how}{start}"
        )

    def _note_frozen(self, freeze_to: str) -> None:
        frozen = self.network.trained.frozen
        if not frozen:
            return
        layers = [self.network.trained.model.get_layer(name) for name in frozen]
        norms = sum(isinstance(x, keras.layers.BatchNormalization) for x in layers)
        which = "" if freeze_to == NOTHING else f" up to {freeze_to}"
        self.progress.note(
            f"Frozen: {len(frozen)} layers{which}, all {norms} batch normalizations "
            "among them"
        )


def _epochs_planned(state: State, train: TrainConfig, steps: int) -> int:
    """Return the epochs of a phase, of which Annealing may have made fewer."""
    fitted = state.callbacks.get("Annealing", {}).get("total")
    return math.ceil(fitted / steps) if fitted else epochs_of(train, steps)


def _features(split: SplitFeatures) -> np.ndarray:
    """Return the pooled features of the plain images of a split."""
    rows = np.concatenate(list(split.plain()))
    return rows.mean(axis=(1, 2)) if rows.ndim == 4 else rows
