import os
import subprocess
import sys

from tlkit.cli import run
from tlkit.config import SECTION_OF


def test_finetune_offers_every_option_of_the_configuration(capsys):
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
