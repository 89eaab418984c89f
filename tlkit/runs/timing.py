"""Where the time of a run goes."""

from __future__ import annotations

import time


class Clock:
    """Seconds by stage, one stage after the other."""

    def __init__(self) -> None:
        self._began = self._last = time.perf_counter()
        self._laps: dict[str, float] = {}

    def lap(self, stage: str) -> None:
        """The time since the last call belongs to this stage."""
        now = time.perf_counter()
        self._laps[stage] = self._laps.get(stage, 0.0) + now - self._last
        self._last = now

    def seconds(self) -> dict[str, float]:
        """Returns seconds by stage, and "total" since the clock was made."""
        every = {**self._laps, "total": time.perf_counter() - self._began}
        return {stage: round(value, 2) for stage, value in every.items()}

    def line(self) -> str:
        """Returns a line for the terminal."""
        laps = ", ".join(f"{stage} {value:.1f}" for stage, value in self._laps.items())
        return f"Seconds: {laps}"
