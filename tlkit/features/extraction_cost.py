"""The cost of extracting features: views, seconds and rates."""

from __future__ import annotations

from dataclasses import dataclass

from tlkit.features.engines.base import Engine


@dataclass
class ExtractionCost:
    """The cost of feature vectors: `cached` views were found, `views` were computed.

    `decode`, `augment` and `prefix` are seconds of processor time, over all processes
    and threads; `seconds` are those that passed.
    """

    cached: int = 0
    images: int = 0
    views: int = 0
    seconds: float = 0.0
    decode: float = 0.0
    augment: float = 0.0
    prefix: float = 0.0
    operations: int = 0

    def rates(self) -> dict[str, float]:
        """Return the rates of the whole: images are made while the network computes."""
        if not self.operations:
            return {}
        return {
            "images_per_s": round(self.views / self.seconds, 1),
            "gflops": round(self.operations / self.seconds / 1e9, 1),
        }

    def account(self) -> dict[str, float]:
        """Return all of it for run.json."""
        found = {name: round(value, 2) for name, value in vars(self).items()}
        del found["operations"]
        return found | self.rates()

    def notes(self, engine: Engine | None) -> list[str]:
        """Return what happened in sentences for the user."""
        notes = []
        if self.cached:
            notes.append(f"Took {self.cached:,} views from the cache")
        if engine is None or not self.views:
            return notes
        rates = self.rates()
        return [
            *notes,
            f"Computed {self.views:,} views of {self.images:,} images in "
            f"{self.seconds:.1f} s: {rates['images_per_s']:.0f} a second by "
            f"{engine.name} in {engine.compute}, {rates['gflops']:.0f} GFLOP/s",
            f"Processor seconds: decode {self.decode:.1f}, augment {self.augment:.1f}, "
            f"prefix {self.prefix:.1f}",
        ]
