"""Seconds until `tlkit --help` is shown: the median of whole processes.

python -m tests.benchmarks.startup
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time


def main() -> None:
    """Time the command and print the median."""
    seconds = []
    for _ in range(11):
        began = time.perf_counter()
        subprocess.run(
            [sys.executable, "-m", "tlkit", "--help"], check=True, capture_output=True
        )
        seconds.append(time.perf_counter() - began)
    print(f"tlkit --help: median {statistics.median(seconds):.2f} s of {len(seconds)}")


if __name__ == "__main__":
    main()
