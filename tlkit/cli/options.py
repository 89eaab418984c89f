"""Options of the configuration, and those that several commands share."""

from __future__ import annotations

import inspect
import typing
from collections.abc import Callable, Collection, Mapping
from typing import Any, Literal, TypeVar

import typer

from tlkit.config import OPTIONS, SECTION_OF, SECTIONS, Scope, options_of
from tlkit.errors import UsageError

Command = TypeVar("Command", bound=Callable[..., None])

DATASET = typer.Argument(..., help="Data set directory, made by tlkit prepare.")
# Not required with --recipe or --resume.
OPTIONAL_DATASET = typer.Argument(
    None, help="Data set directory, made by tlkit prepare."
)
RUN = typer.Argument(..., help="Run directory, made by tlkit finetune.")
DATA = typer.Option(None, help="Data set directory, if it was moved.")
RECIPE = typer.Option(None, help="Start from a recipe, as for finetune.")
OVERWRITE = typer.Option(
    False, "--overwrite", help="Replace an earlier result in --out."
)
OVERRIDES = typer.Option(
    None, "--set", help="section.option=value, for any option; repeatable."
)
ALLOW_OUTSIDE = typer.Option(
    False,
    "--allow-outside",
    help="Also read files outside SOURCE that links and annotations name.",
)
LIMIT = typer.Option(None, help="For drawings, most examples per class.")
WORKERS = typer.Option(None, help=OPTIONS["workers"].metadata["help"])


def with_options(
    *, scope: Scope | None = None, without: Collection[str] = ()
) -> Callable[[Command], Command]:
    """Return a decorator that adds the options of the configuration to a command.

    The command takes them as `**options`; None stands for an option not given.
    """
    names = OPTIONS if scope is None else options_of(scope)
    added = [
        inspect.Parameter(
            name,
            inspect.Parameter.KEYWORD_ONLY,
            default=option(name),
            annotation=_type(name),
        )
        for name in names
        if name not in without
    ]

    def decorate(command: Command) -> Command:
        signature = inspect.signature(command, eval_str=True)
        own = [p for p in signature.parameters.values() if p.kind != p.VAR_KEYWORD]
        every = [*own, *added]
        # This is where typer looks for them.
        vars(command)["__signature__"] = signature.replace(parameters=every)
        command.__annotations__ = {p.name: p.annotation for p in every}
        return command

    return decorate


def option(name: str) -> Any:
    """Return the option of the configuration; None where it is not given."""
    return typer.Option(None, help=OPTIONS[name].metadata["help"])


def given(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options that were given, in the types of the configuration."""
    found = {name: value for name, value in options.items() if value is not None}
    views = found.get("views")
    if views and views.removeprefix("-").isdecimal():
        found["views"] = int(views)
    return found


def written(options: Mapping[str, Any]) -> list[str]:
    """Return options as words of a command line: ["--size", "96", "--no-hflip"]."""
    words = []
    for name, value in options.items():
        flag = name.replace("_", "-")
        if isinstance(value, bool):
            words.append(f"--{flag}" if value else f"--no-{flag}")
        else:
            words += [f"--{flag}", str(value)]
    return words


def _type(name: str) -> Any:
    """Return the type that typer parses: of several, the one that any text has."""
    if choices := OPTIONS[name].metadata["choices"]:
        return Literal[choices]
    hint = typing.get_type_hints(SECTIONS[SECTION_OF[name]])[name]
    kinds = typing.get_args(hint) or (hint,)
    return str if str in kinds else next(k for k in kinds if k is not type(None))


# How labels are read, for every command that reads them.
ATTRIBUTE = typer.Option(
    None, help="For VIA, the attribute that is the label.  [default: the only one]"
)

COLUMN = typer.Option(
    [],
    help="For tables, ROLE=NAME: the column for path, label, split, group or a "
    "coordinate of a box; repeatable.  [default: by their usual names]",
)

SEPARATOR = typer.Option(None, help="For tables, the character between several labels.")
Format = Literal[
    "auto", "folders", "labelme", "coco", "yolo", "voc", "via", "masks", "csv",
    "quickdraw",
]  # fmt: skip
FORMAT = typer.Option("auto", "--from", help="Format of the labels.")


def columns_by_role(given: list[str]) -> dict[str, str]:
    """Parse ROLE=NAME of --column."""
    roles = {}
    for text in given:
        role, found, name = text.partition("=")
        if not found or role in roles:
            raise UsageError(
                f"--column takes ROLE=NAME, each role once, got {text!r}.",
                hint="For example --column label=species --column group=patient.",
            )
        roles[role] = name
    return roles
