"""tlkit demo: the whole workflow on handwritten digits, offline."""

from __future__ import annotations

import shlex
import shutil
import time
from pathlib import Path

import typer

from tlkit.cli.terminal import Interrupted, print_line
from tlkit.errors import TlkitError
from tlkit.files import is_taken, make_directory, refuse_existing

MARKER, NEW = "photos", "new"
# The size of the digits; nano sees more in images of 96.
SIZE = 64
# Quick; by default finetune chooses the fine-tuning depth, which takes longer.
PHASES = "head:8"


def demo(
    out: Path = typer.Option("tlkit-demo", help="Folder to work in."),
    overwrite: bool = typer.Option(
        False, "--overwrite", help="Replace an earlier demo in --out."
    ),
) -> None:
    """Run the whole workflow on handwritten digits.

    Works offline, in about a minute.
    """
    from tlkit.dataset.demo_digits import write_digits, write_new_digits

    if is_taken(out):
        refuse_existing(out, marker=MARKER, overwrite=overwrite, what="demo")
        shutil.rmtree(out)
    began = time.perf_counter()
    make_directory(out)
    planted = write_digits(out / MARKER)
    write_new_digits(out / NEW)
    _explain(
        f"Wrote {planted.images} files of handwritten digits to {out / MARKER}, "
        f"among them {planted.copies} duplicates, {planted.conflicts} image under two "
        f"labels and {planted.broken} file that is not an image. prepare finds them."
    )
    data, run = out / "data", out / "run"
    _tlkit("prepare", str(out / MARKER), "--out", str(data))
    _explain(
        "This demo needs no network: nano is a small pretrained one that comes with "
        "tlkit. For photos, leave out --backbone to get a larger one, whose ImageNet "
        "weights are downloaded once."
    )
    _tlkit(
        *("finetune", str(data), "--out", str(run), "--backbone", "nano"),
        *("--size", str(SIZE), "--augment", "none", "--phases", PHASES),
    )
    _tlkit("evaluate", str(run))
    _explain(f"The digits in {out / NEW} are new: training has not seen them.")
    _tlkit("predict", str(run), str(out / NEW))
    _tlkit("export", str(run), "--format", "savedmodel")
    _explain(
        f"\nDone in {time.perf_counter() - began:.0f} s. Look at "
        f"{run / 'evaluation' / 'test' / 'errors.png'} and {run / 'curves.png'}, "
        "then try your own photos: tlkit prepare PHOTOS --out DATASET"
    )


def _explain(text: str) -> None:
    print_line(text, "cyan")


def _tlkit(*arguments: str) -> None:
    """Run one command as typed, but load TensorFlow only once."""
    from tlkit import cli

    _explain(f"\n$ {shlex.join(('tlkit', *arguments))}")
    code = cli.run(list(arguments))
    if code == Interrupted.exit_code:
        raise Interrupted("Interrupted.")
    if code:
        raise TlkitError(
            f"tlkit {arguments[0]} failed with exit code {code}.",
            hint="Run tlkit doctor to find out why.",
        )
