"""A configuration and a data set in, a trained network out, phase by phase.

First a linear probe on the frozen features; then phases, each from where the one before
has come to. All of them are candidates, judged by the validation side.
"""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np

from tlkit.backbones.cut_points import NOTHING
from tlkit.config import Config, TrainConfig
from tlkit.dataset.manifest import Manifest
from tlkit.features.split_features import SplitFeatures, score
from tlkit.inputs.sampler import BALANCED
from tlkit.model.phases import HALF, HEAD, LAST, PROBE, Phase
from tlkit.progress import Progress
from tlkit.runs.timing import Clock
from tlkit.training.callbacks import Budget, Place
from tlkit.training.candidates import Candidate, best_of, judge
from tlkit.training.data import Feed, build_feed
from tlkit.training.fit import epochs_of, fit
from tlkit.training.network import Network, Weights
from tlkit.training.probe import Probe, fit_probe


@dataclass(frozen=True)
class Planned:
    """A phase with all its settings.

    Attributes:
        above: What trains, as in Phase.
        train: `epochs`, `steps`, `lr`, `schedule`, `patience`, `lr_patience` are those
            of this phase.
        half: Whether what comes of it is the mean of the weights before and after.
        ended: Behind how many steps to end, as in Phase.
        views: As in the configuration, None for just that.
    """

    above: str
    train: TrainConfig
    half: bool = False
    ended: int | None = None
    views: int | str | None = None


class Trainer:
    """Runs phases on a network, and remembers what each has reached.

    Args:
        config: Resolved.
        manifest: Its test side is not looked at.
        network: Trained in place.
        directory: Where checkpoints go, and the history; what is there is gone on with.
        budget: When to end at the latest.
        clock: Told of features and training.
        progress: Told of all long work.
        watching: More callbacks for every phase.
    """

    def __init__(
        self,
        config: Config,
        manifest: Manifest,
        network: Network,
        directory: Path,
        *,
        budget: Budget,
        clock: Clock,
        progress: Progress,
        watching: Sequence[keras.callbacks.Callback] = (),
    ) -> None:
        self.config = config
        self.manifest = manifest
        self.network = network
        self.directory = directory
        self.budget = budget
        self.clock = clock
        self.progress = progress
        self.watching = watching
        self.truth = manifest.multi_hot("val")
        self.candidates: list[Candidate] = []
        self.held_out: list[Candidate] = []
        self.phases: list[Phase] = []
        self.history: list[dict[str, Any]] = []
        self.feed: Feed
        self._reached: list[Weights] = []

    def probe(self) -> Probe:
        """Learn a linear probe on the frozen features, and start from it if one can."""
        began = time.perf_counter()
        point = self.network.freeze(HEAD)
        feed = self._feed(self.config.train, views=1)
        self.clock.lap("features")
        groups = [example.group for example in feed.train.examples]
        probe = fit_probe(
            features(feed.train),
            self.manifest.targets("train"),
            np.unique(groups, return_inverse=True)[1],
            classes=len(self.manifest.labels),
            seed=self.config.train.seed,
            balanced=(
                self.config.train.class_weights == BALANCED
                or self.config.inputs.sampling == BALANCED
            ),
        )
        scores = probe(features(feed.val))
        taken = self.network.start_from(probe)
        if taken:
            # As the network computes it, in float32.
            scores = score(feed.exact, feed.val)
        self.clock.lap("probe")
        found = self._candidate(PROBE, point, scores, began)
        self._tell_probe(probe, found, taken)
        if taken:
            self._keep(found)
        return probe

    def run(self, planned: Planned) -> Candidate:
        """Run a phase."""
        began = time.perf_counter()
        network = self.network
        point = network.freeze(planned.above)
        frozen = network.trained.frozen_checksum()
        feed = self._feed(planned.train, planned.views)
        self.clock.lap("features")
        number = len(self.phases) + 1
        checkpoint = fit(
            feed,
            planned.train,
            Place(self.directory, f"{number}-{planned.above}", planned.above),
            ended=planned.ended,
            earlier=self.history,
            frozen=network.trained.frozen,
            device=network.device,
            budget=self.budget,
            progress=self.progress,
            watching=self.watching,
        )
        self.clock.lap("train")
        network.check_frozen(frozen)
        self._tell_frozen(point)
        checkpoint.restore_best(feed.model)
        if feed.exact is not feed.model:
            checkpoint.restore_best(feed.exact)
        state = checkpoint.state
        self.history = checkpoint.rows()
        epochs = epochs_of(planned.train, feed.schedule.steps)
        fitted = state.callbacks.get("Annealing", {}).get("total")
        if fitted:
            epochs = math.ceil(fitted / feed.schedule.steps)  # as the time allowed
        self.phases.append(
            Phase(planned.above, epochs, planned.train.lr, planned.half, state.ended)
        )
        found = self._candidate(
            planned.above, point, score(feed.exact, feed.val), began
        )
        found = dataclasses.replace(
            found,
            epochs=state.epochs,
            best_epoch=state.best_epoch,
            stopped=state.stopped and state.epochs < epochs,
        )
        self._keep(found)
        return found

    def meet(self, before: Candidate, after: Candidate) -> Candidate:
        """Go half way back from what a phase has reached to what it began with.

        The mean of the weights before and after tuning is often better than either,
        and hardly ever worse than both (WiSE-FT, Wortsman et al. 2022, arXiv
        2109.01903), for no cost at all.

        Args:
            before: What the phase has begun with.
            after: What it has reached.

        Returns:
            The candidate between; the network has its weights.
        """
        ends = [self._reached[self.candidates.index(one)] for one in (before, after)]
        self.network.put_back(self.network.mean(*ends))
        began = time.perf_counter()
        scores = score(self.feed.exact, self.feed.val)
        name = after.name + HALF
        found = self._candidate(name, after.freeze_to, scores, began)
        found = dataclasses.replace(found, best_epoch=after.best_epoch, of=after.name)
        self._keep(found)
        return found

    def beside(
        self, manifest: Manifest, directory: Path, minutes: float, progress: Progress
    ) -> Trainer:
        """Another trainer of the same network, which is as it was built again."""
        self.network.put_back({})
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
    def judges(self) -> bool:
        """Whether the validation side judges."""
        return self.config.train.monitor != LAST

    def best(self) -> Candidate:
        """The candidate with the best validation score by the monitor."""
        return best_of(self.candidates, self.config.train.monitor)

    def epoch_of(self, candidate: Candidate) -> int:
        """The epoch of a candidate, counted over all phases; 0 for the probe."""
        names = [one.name for one in self.candidates]
        before = self.candidates[: names.index(candidate.of or candidate.name)]
        return sum(one.epochs for one in before) + candidate.best_epoch

    def account(self) -> dict[str, Any]:
        """What the rows of the last phase were, and what computing them has cost."""
        return self.feed.account()

    def put_back(self, candidate: Candidate) -> None:
        """Give the network the weights it had when it was this candidate."""
        self.network.put_back(self._reached[self.candidates.index(candidate)])

    def _feed(self, train: TrainConfig, views: int | str | None) -> Feed:
        inputs = self.config.inputs
        if views is not None:
            inputs = dataclasses.replace(inputs, views=views)
        config = dataclasses.replace(self.config, inputs=inputs, train=train)
        self.feed = build_feed(
            config,
            self.manifest,
            self.network.trained,
            self.network.reference,
            device=self.network.device,
            progress=self.progress,
            split=self.network.split,
        )
        return self.feed

    def _candidate(
        self, name: str, point: str, scores: np.ndarray, began: float
    ) -> Candidate:
        seconds = time.perf_counter() - began
        task = self.network.trained.task
        return judge(task, self.truth, name, point, scores, seconds=seconds)

    def _keep(self, candidate: Candidate) -> None:
        self.candidates.append(candidate)
        self._reached.append(self.network.weights())

    def _tell_probe(self, probe: Probe, found: Candidate, taken: bool) -> None:
        chosen = f"strength {probe.strength:g}"
        if probe.folds:
            right = probe.held_out.argmax(axis=1) == self.manifest.targets("train")
            chosen += (
                f" by {probe.folds} folds of the training side, where it is right in "
                f"{right.mean():.3f}"
            )
        else:
            chosen += ", as a class has too few images to choose it by"
        start = "" if taken else "; the head that was asked for cannot start from it"
        self.progress.note(
            f"Linear probe: val loss {found.loss:.4f}  val acc {found.accuracy:.3f}; "
            f"{chosen}{start}"
        )

    def _tell_frozen(self, point: str) -> None:
        frozen = self.network.trained.frozen
        if not frozen:
            return
        layers = [self.network.trained.model.get_layer(name) for name in frozen]
        norms = sum(isinstance(x, keras.layers.BatchNormalization) for x in layers)
        which = "" if point == NOTHING else f" up to {point}"
        self.progress.note(
            f"Frozen layers are unchanged to the byte: {len(frozen)}{which}, "
            f"all {norms} batch normalizations among them"
        )


def features(side: SplitFeatures) -> np.ndarray:
    """What the frozen part says of the plain images of a side, pooled."""
    rows = np.concatenate(list(side.plain()))
    return rows.mean(axis=(1, 2)) if rows.ndim == 4 else rows
