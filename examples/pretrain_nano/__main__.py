"""Draw, train, and write the weights of Nano, with a log.

python -m examples.pretrain_nano --out nano.weights.h5
"""

from __future__ import annotations

import argparse
import hashlib
import json
import math
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import h5py
import keras
import numpy as np

from examples.pretrain_nano.library import OBJECTS, draw_library
from examples.pretrain_nano.training import REPORT, TASKS, Course, pretrain

PRECISIONS = ("float32", "mixed_bfloat16")
ENDING = ".weights.h5"
# The network halves the side five times.
LEAST = 32


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    """Read the command line; its defaults make the weights of the package."""
    parser = argparse.ArgumentParser(
        prog="python -m examples.pretrain_nano",
        description=__doc__,
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument(
        "--out", type=Path, required=True, default=argparse.SUPPRESS,
        help=f"NAME{ENDING}; a log is written beside it",
    )  # fmt: skip
    parser.add_argument(
        "--seed", type=_least(0), default=0, help="of all that is random"
    )
    parser.add_argument("--steps", type=_least(1), default=10_000, help="batches")
    parser.add_argument("--batch", type=_least(2), default=128, help="scenes in each")
    parser.add_argument("--rate", type=_rate, default=2e-3, help="AdamW's highest")
    parser.add_argument(
        "--sides", type=_least(LEAST), nargs="+", default=(64, 64, 96),
        help="of the scenes in pixels, in turn",
    )  # fmt: skip
    # Color is easily learned and easily forgotten, and with few images it is what
    # separates most classes.
    parser.add_argument(
        "--counts", type=_share, nargs=len(TASKS), default=(1.0, 1.0, 3.0),
        metavar=tuple(task.upper() for task in TASKS),
        help="weight of each error in the loss, 0 for nothing",
    )  # fmt: skip
    parser.add_argument(
        "--kinds", nargs="+", choices=OBJECTS, default=list(OBJECTS),
        help="of objects in the scenes",
    )  # fmt: skip
    parser.add_argument("--classes", type=_least(1), default=150, help="of each kind")
    parser.add_argument("--views", type=_least(1), default=40, help="images of each")
    parser.add_argument("--grounds", type=_least(1), default=1_000, help="classes")
    parser.add_argument(
        "--ground-views", type=_least(1), default=15, help="images of each"
    )
    parser.add_argument(
        "--precision",
        choices=PRECISIONS,
        default=PRECISIONS[0],
        help="bfloat16 has been slower even where the processor computes in it",
    )
    parser.add_argument(
        "--workers", type=_least(0), default=2, help="processes that draw"
    )
    chosen = parser.parse_args(arguments)
    # All this now, not after an hour of training.
    if not any(chosen.counts):
        parser.error("--counts: expected one above 0, or there is nothing to learn")
    if not chosen.out.name.endswith(ENDING):
        parser.error(f"--out: expected NAME{ENDING}, got {chosen.out}")
    for path in (chosen.out, log_of(chosen.out)):
        if path.exists():
            parser.error(f"--out: {path} exists already; choose another name")
    try:
        chosen.out.parent.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=chosen.out.parent).close()
    except OSError as error:
        parser.error(f"--out: {chosen.out.parent} cannot be written to: {error}")
    return chosen


def _least(least: int) -> Callable[[str], int]:
    def number(text: str) -> int:
        value = int(text)
        if value < least:
            raise argparse.ArgumentTypeError(f"expected {least} or more, got {value}")
        return value

    return number


def _share(text: str) -> float:
    value = float(text)
    if not (0 <= value < math.inf):
        raise argparse.ArgumentTypeError(f"expected 0 or more, got {text}")
    return value


def _rate(text: str) -> float:
    value = float(text)
    if not (0 < value < math.inf):
        raise argparse.ArgumentTypeError(f"expected more than 0, got {text}")
    return value


def log_of(out: Path) -> Path:
    """Returns where the log of these weights lies."""
    return out.with_name(out.name.removesuffix(ENDING) + ".log.json")


def main(arguments: list[str] | None = None) -> None:
    """Make the weights; the log lies beside them."""
    chosen = parse(arguments)
    began = time.monotonic()
    print("Drawing the images that scenes are put together from", flush=True)
    library = draw_library(
        chosen.seed,
        chosen.kinds,
        classes=chosen.classes,
        views=chosen.views,
        grounds=chosen.grounds,
        ground_views=chosen.ground_views,
        workers=chosen.workers,
    )
    (objects, views), (grounds, more) = (
        drawn.shape[:2] for drawn in (library.objects, library.grounds)
    )
    print(
        f"{objects} classes of objects in {views} images each, {grounds} of grounds "
        f"in {more}. Training {chosen.steps} steps, with a line every {REPORT}",
        flush=True,
    )
    course = Course(
        chosen.steps,
        chosen.batch,
        chosen.rate,
        tuple(chosen.sides),
        tuple(chosen.counts),
        chosen.seed,
        chosen.precision,
        chosen.workers,
    )
    log: list[dict[str, float]] = []

    def record(means: dict[str, float]) -> None:
        if not math.isfinite(means["loss"]):
            raise SystemExit("The loss is no number any more: choose a lower --rate.")
        log.append({**means, "seconds": round(time.monotonic() - began)})
        print(json.dumps(log[-1]), flush=True)

    write_half(pretrain(library, course, record), chosen.out)
    checksum = hashlib.sha256(chosen.out.read_bytes()).hexdigest()
    options = {k: v for k, v in vars(chosen).items() if k not in ("out", "workers")}
    text = json.dumps({"options": options, "sha256": checksum, "log": log}, indent=1)
    log_of(chosen.out).write_text(text + "\n")
    print(f"{chosen.out}: {chosen.out.stat().st_size / 1e6:.2f} MB, sha256 {checksum}")
    print(f"Next: tlkit finetune DATASET --backbone nano --weights {chosen.out}")


def write_half(body: keras.Model, path: Path) -> None:
    """Write weights as Keras does, but in float16.

    Args:
        body: Whose weights.
        path: NAME.weights.h5.
    """
    with tempfile.TemporaryDirectory() as folder:
        whole = Path(folder) / "whole.weights.h5"
        body.save_weights(whole)
        with h5py.File(whole) as source, h5py.File(path, "w") as target:

            def copy(name: str, item: h5py.Group | h5py.Dataset) -> None:
                if isinstance(item, h5py.Dataset):
                    target.create_dataset(name, data=item[()].astype(np.float16))
                else:
                    target.require_group(name)

            source.visititems(copy)


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        print("Interrupted. Weights are written at the end only.", file=sys.stderr)
        sys.exit(130)
