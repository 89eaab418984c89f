"""The time that each stage of a run takes."""

from __future__ import annotations

import time


class Clock:
    """Seconds by stage, one stage after the other."""

    def __init__(self) -> None:
        self._began = self._last = time.perf_counter()
        self._laps: dict[str, float] = {}

    def lap(self, stage: str) -> None:
        """Add the time since the last call to a stage.

        Args:
            stage: Its name.
        """
        now = time.perf_counter()
        self._laps[stage] = self._laps.get(stage, 0.0) + now - self._last
        self._last = now

    def seconds(self) -> dict[str, float]:
        """Return the seconds of all stages so far.

        Returns:
            By stage, and "total" since the clock was made.
        """
        every = {**self._laps, "total": time.perf_counter() - self._began}
        return {stage: round(value, 2) for stage, value in every.items()}

    def line(self) -> str:
        """Format the seconds for the terminal.

        Returns:
            One line.
        """
        laps = ", ".join(f"{stage} {value:.1f}" for stage, value in self._laps.items())
        return f"Seconds: {laps}"
