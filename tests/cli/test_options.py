import inspect
import os
import subprocess
import sys
import typing

from tlkit.cli import convert, run
from tlkit.cli.options import Format, given, written
from tlkit.config import SECTION_OF
from tlkit.dataset.convert.writers import WRITERS
from tlkit.dataset.formats.detect import FORMATS


def test_finetune_has_every_option_of_the_configuration(capsys):
    run(["finetune", "--help"])
    shown = capsys.readouterr().out
    for name in SECTION_OF:
        assert f"--{name.replace('_', '-')}" in shown, name


def test_choices_are_shown_and_completed():
    code = "from tlkit.cli import app; app(prog_name='tlkit')"
    words = {"COMP_WORDS": "tlkit finetune --device ", "COMP_CWORD": "3"}
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, **words, "_TLKIT_COMPLETE": "complete_bash"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.split() == ["auto", "cpu", "gpu"]


def test_options_that_were_given():
    options = {"views": "2", "lr": None, "cache": False}
    assert given(options) == {"views": 2, "cache": False}
    assert given({"views": "fresh"}) == {"views": "fresh"}
    assert given({"views": "-1"}) == {"views": -1}


def test_options_are_written_as_words():
    assert written({"freeze_to": "a b", "cache": False, "views": 2}) == [
        "--freeze-to", "a b", "--no-cache", "--views", "2",
    ]  # fmt: skip


def test_the_formats_are_those_of_the_readers_and_writers():
    assert set(typing.get_args(Format)) == {"auto", *FORMATS}
    to = inspect.signature(convert.convert, eval_str=True).parameters["to"]
    assert set(typing.get_args(to.annotation)) == set(WRITERS)
