"""Draw, train, and write the weights of Nano, with a log.

python -m examples.pretrain_nano --out nano.weights.h5
"""

from __future__ import annotations

import argparse
import hashlib
import json
import tempfile
import time
from pathlib import Path

import h5py
import keras
import numpy as np

from examples.pretrain_nano.library import OBJECTS, draw_library
from examples.pretrain_nano.training import Course, pretrain

PRECISIONS = ("float32", "mixed_bfloat16")


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    """Read the command line; its defaults make the weights of the package."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="NAME.weights.h5")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--steps", type=int, default=10_000)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--rate", type=float, default=2e-3)
    parser.add_argument("--sides", type=int, nargs="+", default=(64, 64, 96))
    parser.add_argument("--kinds", nargs="+", choices=OBJECTS, default=list(OBJECTS))
    parser.add_argument("--classes", type=int, default=150, help="of each kind")
    parser.add_argument("--views", type=int, default=40, help="pictures of a class")
    parser.add_argument("--grounds", type=int, default=1_000, help="classes of grounds")
    parser.add_argument("--ground-views", type=int, default=15, help="pictures of each")
    parser.add_argument(
        "--precision",
        choices=PRECISIONS,
        default=PRECISIONS[0],
        help="bfloat16 has been slower even where the processor computes in it",
    )
    parser.add_argument("--workers", type=int, default=2)
    return parser.parse_args(arguments)


def main(arguments: list[str] | None = None) -> None:
    """Make the weights; the log lies beside them."""
    chosen = parse(arguments)
    began = time.monotonic()
    library = draw_library(
        chosen.seed,
        chosen.kinds,
        classes=chosen.classes,
        views=chosen.views,
        grounds=chosen.grounds,
        ground_views=chosen.ground_views,
        workers=chosen.workers,
    )
    print(f"{library.objects.shape[:2]} objects, {library.grounds.shape[:2]} grounds")
    course = Course(
        chosen.steps,
        chosen.batch,
        chosen.rate,
        tuple(chosen.sides),
        chosen.seed,
        chosen.precision,
        chosen.workers,
    )
    log: list[dict[str, float]] = []

    def tell(told: dict[str, float]) -> None:
        log.append({**told, "seconds": round(time.monotonic() - began)})
        print(json.dumps(log[-1]), flush=True)

    write_half(pretrain(library, course, tell), chosen.out)
    digest = hashlib.sha256(chosen.out.read_bytes()).hexdigest()
    options = {k: v for k, v in vars(chosen).items() if k not in ("out", "workers")}
    text = json.dumps({"options": options, "sha256": digest, "log": log}, indent=1)
    chosen.out.with_name("log.json").write_text(text + "\n")
    print(f"{chosen.out}: {chosen.out.stat().st_size / 1e6:.2f} MB, sha256 {digest}")


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
    main()
