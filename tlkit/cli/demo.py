"""tlkit demo: the whole way on handwritten digits, offline, command by command."""

from __future__ import annotations

import shlex
import shutil
import time
from pathlib import Path

import typer

from tlkit.cli.terminal import ERR, Interrupted
from tlkit.errors import TlkitError, UsageError
from tlkit.files import is_taken, make_directory

MARKER, NEW = "photos", "new"
# As large as the digits are; nano sees more in images of 96.
SIZE = 64
# So that it is soon over; without these, finetune finds out how deep to tune.
PHASES = "head:8"


def demo(
    out: Path = typer.Option("tlkit-demo", help="Folder to work in."),
    overwrite: bool = typer.Option(
        False, "--overwrite", help="Replace an earlier demo in --out."
    ),
) -> None:
    """Show the whole way on handwritten digits, in about a minute, offline."""
    from tlkit.dataset.demo_digits import write_digits, write_new_digits

    if is_taken(out):
        if not (out / MARKER).is_dir():
            raise UsageError(
                f"{out} exists already, and is no demo.", hint="Choose another --out."
            )
        if not overwrite:
            raise UsageError(
                f"{out} exists already.",
                hint="Choose another --out, or add --overwrite to replace that demo.",
            )
        shutil.rmtree(out)
    began = time.perf_counter()
    make_directory(out)
    planted = write_digits(out / MARKER)
    write_new_digits(out / NEW)
    _say(
        f"Wrote {planted.images} files of handwritten digits to {out / MARKER}, "
        f"among them {planted.copies} copies, {planted.conflicts} image under two "
        f"names and {planted.broken} file that is no image. Watch prepare find them."
    )
    data, run = out / "data", out / "run"
    _tlkit("prepare", str(out / MARKER), "--out", str(data))
    _say(
        "This demo needs no network: nano is a small pretrained one that comes with "
        "tlkit. For photos you would leave --backbone away, and get a larger one whose "
        "ImageNet weights are downloaded once."
    )
    _tlkit(
        *("finetune", str(data), "--out", str(run), "--backbone", "nano"),
        *("--size", str(SIZE), "--augment", "none", "--phases", PHASES),
    )
    _tlkit("evaluate", str(run))
    _say(f"The digits in {out / NEW} are new: prepare has never seen them.")
    _tlkit("predict", str(run), str(out / NEW))
    _tlkit("export", str(run), "--format", "savedmodel")
    _say(
        f"\nDone in {time.perf_counter() - began:.0f} s. Look at "
        f"{run / 'evaluation' / 'test' / 'mistakes.png'} and {run / 'curves.png'}, "
        "then try your own photos: tlkit prepare PHOTOS --out DATASET"
    )


def _say(text: str) -> None:
    ERR.print(text, style="cyan", markup=False, highlight=False)


def _tlkit(*arguments: str) -> None:
    """Run one command as a newcomer would type it, but load TensorFlow only once."""
    from tlkit import cli

    _say(f"\n$ {shlex.join(('tlkit', *arguments))}")
    code = cli.run(list(arguments))
    if code == Interrupted.exit_code:
        raise Interrupted("Interrupted.")
    if code:
        raise TlkitError(
            f"tlkit {arguments[0]} left with exit code {code}.",
            hint="tlkit doctor may know why.",
        )
