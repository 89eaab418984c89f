"""The command line: each command parses, calls one public function and prints."""

from __future__ import annotations

import errno
import importlib
import os
import signal
import sys
import traceback

import typer

from tlkit import __version__
from tlkit.cli.terminal import print_line
from tlkit.errors import TlkitError

# The modules of the commands, in the order of --help.
COMMANDS = (
    *("prepare", "check", "convert", "annotate", "label_issues", "learning_curve"),
    *("compare", "finetune", "cross_validate", "lr_find", "search", "evaluate"),
    *("predict", "export", "backbones", "weights", "cache", "doctor", "demo"),
)
# Errors for which the operating system is the reason, not tlkit.
SYSTEM_ERRORS = {
    *(errno.EACCES, errno.EPERM, errno.EROFS),
    *(errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO),
    *(errno.ENOTDIR, errno.EISDIR, errno.ELOOP, errno.ENAMETOOLONG, errno.EMFILE),
}

app = typer.Typer(
    name="tlkit",
    help="From a folder of photos to a classifier you can trust and ship.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
for name in COMMANDS:
    command = getattr(importlib.import_module(f"tlkit.cli.{name}"), name)
    if isinstance(command, typer.Typer):
        app.add_typer(command, name=name)
    else:
        app.command()(command)


def _print_version(shown: bool) -> None:
    if shown:
        typer.echo(f"tlkit {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: bool = typer.Option(
        False,
        "--version",
        callback=_print_version,
        is_eager=True,
        help="Print the version.",
    ),
) -> None:
    pass


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and exit the process with its exit code.

    Args:
        arguments: Words after `tlkit`; those of this process by default.
    """
    # TensorFlow logs a lot while it loads; a value that the user has set is kept.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    # Clean up as after Ctrl-C, so that nothing half-written stays.
    signal.signal(signal.SIGTERM, _terminated)
    sys.exit(run(arguments))


def _terminated(*_: object) -> None:
    raise SystemExit(128 + signal.SIGTERM)


def run(arguments: list[str] | None = None) -> int:
    """Run the command line and return its exit code.

    A failure is explained on standard error; TLKIT_DEBUG=1 adds the traceback.

    Args:
        arguments: Words after `tlkit`; those of this process by default.

    Returns:
        0 after success, 1 after work that failed, 2 for an invalid option, 130 after
        an interruption.
    """
    try:
        app(arguments, prog_name="tlkit")
    except SystemExit as left:
        return left.code if isinstance(left.code, int) else int(left.code is not None)
    except TlkitError as error:
        _explain(f"error: {error.message}", error.hint)
        return error.exit_code
    except Exception as error:  # noqa: BLE001 - the last door before the user
        if isinstance(error, OSError) and error.errno in SYSTEM_ERRORS:
            _explain(
                f"error: {error.filename or 'a file'}: {error.strerror}",
                "Fix its permissions, free some space, or choose another place. "
                "TLKIT_DEBUG=1 shows where it was needed.",
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
    print_line(message, "red")
    if hint:
        print_line(hint)
