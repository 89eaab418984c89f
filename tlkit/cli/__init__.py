"""The command line: parse, call one public function, print."""

from __future__ import annotations

import errno
import os
import signal
import sys
import traceback

import typer

from tlkit import __version__
from tlkit.cli import (
    annotate,
    backbones,
    cache,
    check,
    compare,
    convert,
    demo,
    doctor,
    evaluate,
    export,
    finetune,
    label_issues,
    layers,
    learning_curve,
    lr_find,
    predict,
    prepare,
    search,
    weights,
)
from tlkit.cli.terminal import ERR, harmless
from tlkit.errors import TlkitError

# What a system says no with, for reasons of its own.
REFUSALS = {
    *(errno.EACCES, errno.EPERM, errno.EROFS),
    *(errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO),
    *(errno.ENOTDIR, errno.EISDIR, errno.ELOOP, errno.ENAMETOOLONG, errno.EMFILE),
}

app = typer.Typer(
    name="tlkit",
    help="From a folder of photos to a classifier you can trust and ship.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
for command in (
    prepare.prepare,
    check.check,
    convert.convert,
    annotate.annotate,
    label_issues.label_issues,
    learning_curve.learning_curve,
    compare.compare,
    finetune.finetune,
    lr_find.lr_find,
    search.search,
    evaluate.evaluate,
    predict.predict,
    export.export,
    backbones.backbones,
    layers.layers,
    doctor.doctor,
    demo.demo,
):
    app.command()(command)
app.add_typer(weights.weights, name="weights")
app.add_typer(cache.cache, name="cache")


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"tlkit {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: bool = typer.Option(
        False, "--version", callback=_version, is_eager=True, help="Say which version."
    ),
) -> None:
    pass


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and leave with its exit code.

    0 is success, 1 work that failed, 2 a wrong option, 130 an interruption. A failure
    is explained on standard error; TLKIT_DEBUG=1 shows the traceback, too.

    Args:
        arguments: What stands behind `tlkit`; that of this process by default.
    """
    # TensorFlow is loud while it loads; whoever sets the variable is left alone.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    # To be ended politely is to clean up, as with Ctrl-C: nothing half-written stays.
    signal.signal(signal.SIGTERM, _terminated)
    sys.exit(run(arguments))


def _terminated(*_: object) -> None:
    raise SystemExit(128 + signal.SIGTERM)


def run(arguments: list[str] | None = None) -> int:
    """Run the command line.

    Args:
        arguments: What stands behind `tlkit`; that of this process by default.

    Returns:
        The exit code.
    """
    try:
        app(arguments, prog_name="tlkit")
    except SystemExit as left:
        return left.code if isinstance(left.code, int) else int(left.code is not None)
    except TlkitError as error:
        _explain(f"error: {error.message}", error.hint)
        return error.exit_code
    except Exception as error:  # noqa: BLE001 - the last door before the user
        if isinstance(error, OSError) and error.errno in REFUSALS:
            _explain(
                f"error: {error.filename or 'a file'}: {error.strerror}",
                "Mend its permissions, make room, or choose another place. "
                "TLKIT_DEBUG=1 shows what it was needed for.",
            )
            return 1
        _explain(
            f"error: {type(error).__name__}: {error}",
            "This is a fault of tlkit, not yours. Run it again with TLKIT_DEBUG=1 to "
            "see where it happened, and please report it.",
        )
        return 1
    return 0


def _explain(message: str, hint: str) -> None:
    if os.environ.get("TLKIT_DEBUG"):
        traceback.print_exc()
    ERR.print(harmless(message), style="red", markup=False, highlight=False)
    if hint:
        ERR.print(harmless(hint), markup=False, highlight=False)
