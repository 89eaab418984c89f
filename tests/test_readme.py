"""README.md is held against the program; run as a module, it renews the reference."""

from __future__ import annotations

import functools
import importlib.metadata
import os
import re
import shlex
import subprocess
import sys

import pytest
import yaml

from tests.conftest import ROOT
from tlkit.inputs.augment import load_policy
from tlkit.recipe import recipe_names

README = ROOT / "README.md"
BEGIN = "<!-- reference: made by python -m tests.test_readme -->\n"
END = "<!-- end of reference -->\n"
COMMANDS = (
    "prepare", "check", "annotate", "convert", "label-issues", "learning-curve",
    "compare", "finetune", "cross-validate", "lr-find", "search", "evaluate", "predict",
    "export", "backbones", "backbones list", "backbones show", "doctor", "demo",
    "weights", "weights list", "weights download", "weights add", "cache", "cache list",
    "cache clear",
)  # fmt: skip


SHOW = """
import sys
from tlkit import cli
for command in sys.argv[1:]:
    if code := cli.run([*command.split(), "--help"]):
        sys.exit(code)
    print("\\0", end="")
"""


@functools.cache
def reference() -> str:
    """The help of every command, as it is shown on 100 columns."""
    shown = subprocess.run(
        [sys.executable, "-c", SHOW, *COMMANDS],
        env={**os.environ, "COLUMNS": "100", "TERMINAL_WIDTH": "100"},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    parts = []
    for command, text in zip(COMMANDS, shown.split("\0")[:-1], strict=True):
        plain = "\n".join(line.rstrip() for line in text.strip().splitlines())
        parts.append(f"### tlkit {command}\n\n```text\n{plain}\n```\n")
    return "\n".join(parts)


def test_the_reference_is_the_help_text():
    pinned = rf"^typer=={re.escape(importlib.metadata.version('typer'))}\s"
    constraints = (ROOT / "constraints.txt").read_text(encoding="utf-8")
    if not re.search(pinned, constraints, re.MULTILINE):
        pytest.skip("another typer than the pinned one lays the help out otherwise")
    text = README.read_text(encoding="utf-8")
    written = text.partition(BEGIN)[2].partition(END)[0]
    assert written == reference(), "run: python -m tests.test_readme"


def test_every_command_line_names_a_command_and_known_options():
    text = README.read_text(encoding="utf-8").partition(BEGIN)[0]
    known = {
        command: set(re.findall(r"--[a-z-]+", help_text))
        for command, help_text in zip(
            COMMANDS, reference().split("### tlkit ")[1:], strict=True
        )
    }
    lines = re.findall(r"^ {4}tlkit (.+?)(?: {2,}#.*)?$", text, flags=re.MULTILINE)
    lines += re.findall(r"`tlkit ([^`]+)`", text)
    assert len(lines) > 12
    for line in lines:
        command, *words = shlex.split(line.replace("[", "").replace("]", ""))
        if words and f"{command} {words[0]}" in COMMANDS:
            command, *words = f"{command} {words[0]}", *words[1:]
        assert command in COMMANDS, line
        assert {w for w in words if w.startswith("--")} <= known[command], line


def test_every_recipe_is_listed():
    text = README.read_text(encoding="utf-8")
    assert recipe_names()
    for name in recipe_names():
        assert f"| `{name}` |" in text


def test_the_augmentation_file_works():
    block = re.search(r"```yaml\n(.+?)```", README.read_text(encoding="utf-8"), re.S)
    assert block
    assert len(load_policy(yaml.safe_load(block[1]))) == 2


if __name__ == "__main__":
    before, _, rest = README.read_text(encoding="utf-8").partition(BEGIN)
    after = rest.partition(END)[2]
    README.write_text(before + BEGIN + reference() + END + after, encoding="utf-8")
