import os
import signal
import subprocess
import sys

import pytest
import typer

from tlkit.cli import app, run

COMMANDS = (
    "prepare", "check", "convert", "annotate", "label-issues", "learning-curve",
    "compare", "finetune", "cross-validate", "lr-find", "search", "evaluate", "predict",
    "export", "backbones list", "backbones show", "weights list", "weights download",
    "weights add", "cache list", "cache clear", "doctor", "demo",
)  # fmt: skip


def test_help_does_not_load_tensorflow_or_torch():
    code = (
        "import sys, tlkit.cli\n"
        "assert tlkit.cli.run(['--help']) == 0\n"
        "assert tlkit.cli.run(['finetune', '--help']) == 0\n"
        "assert tlkit.cli.run(['backbones']) == 0\n"
        "assert tlkit.cli.run(['weights', 'list']) == 0\n"
        "assert tlkit.cli.run(['finetune', 'x', '--weights', 'gone.h5']) == 2\n"
        "heavy = {'tensorflow', 'keras', 'torch', 'matplotlib', 'sklearn'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "[]"
    assert "gone.h5 is not there" in done.stderr.replace("\n", "")


def test_every_command_and_option_has_help():
    commands = dict(leaves(typer.main.get_command(app)))
    assert set(commands) == set(COMMANDS)
    for name, command in commands.items():
        assert command.help
        # A longer first line is cut in the list of commands.
        assert len(command.help.partition("\n")[0]) < 60
        for parameter in command.params:
            assert len(parameter.help) > 5, (name, parameter.name)


def leaves(group, path=()):
    """Each command of the tree with the words that call it."""
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from leaves(command, (*path, name))
        else:
            yield " ".join((*path, name)), command


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["finetun"], 2, "finetune"),
        (["finetune", "x", "--backbone", "resnet51"], 2, "ResNet50"),
        (["finetune", "x", "--lr", "fast"], 2, "--lr"),
        (["finetune", "x", "--recipe", "course-mixed8"], 2, "course-mixed7"),
        (["finetune", "x", "--weights", "gone.h5"], 2, "gone.h5 is not there"),
        (["finetune", "/nowhere"], 1, "tlkit prepare"),
        (["finetune", "x", "--resume", "y"], 1, "not a run directory"),
        (["finetune", "--resume", "y", "--lr", "1"], 2, "no other option"),
        (["lr-find", "x", "--lr", "1"], 2, "--lr"),
        (["lr-find", "x", "--set", "train.lr=1"], 2, "tries all learning rates"),
        (["predict", "/nowhere", "x.jpg"], 1, "not a run directory"),
        (["predict", "x", "y", "--format", "jsn"], 2, "json"),
        (["evaluate", "/nowhere"], 1, "not a run directory"),
        (["export", "/nowhere"], 1, "not a run directory"),
        (["backbones", "show", "incepton"], 2, "InceptionV3"),
        (["backbones", "show", "gone.keras"], 2, "gone.keras is not there"),
        (["finetune", "x", "--backbone", "gone.keras"], 2, "gone.keras is not there"),
        (["finetune", "x", "--preprocessing", "tf"], 2, "has its own preprocessing"),
        (["backbones", "list", "qqq"], 2, "List them with: tlkit backbones"),
        (["weights", "list", "qqq"], 2, "List them with: tlkit backbones"),
        (["weights", "download", "incepton"], 2, "InceptionV3"),
        (["weights", "download", "lenet"], 1, "to be trained from scratch"),
        (["weights", "add", "vgg16", "gone.h5"], 2, "gone.h5 is not there"),
        (["finetune", "x", "--backbone", "qqq"], 2, "List them with: tlkit backbones"),
        (["prepare", "/nowhere", "--out", "/tmp/x"], 1, "/nowhere"),
        (["prepare", "/nowhere"], 2, "--out"),
    ],
)
def test_invalid_use_is_explained_without_a_traceback(arguments, code, words, capfd):
    assert run(arguments) == code
    out, err = capfd.readouterr()
    assert words in err
    assert "Traceback" not in out + err


def test_an_unforeseen_fault_is_explained_without_a_traceback(monkeypatch, capfd):
    monkeypatch.setattr("tlkit.cli.app", lambda *a, **k: 1 / 0)
    assert run([]) == 1
    assert "fault of tlkit" in capfd.readouterr().err
    monkeypatch.setenv("TLKIT_DEBUG", "1")
    run([])
    assert "Traceback" in capfd.readouterr().err


@pytest.mark.skipif(os.name != "posix", reason="there is no SIGTERM")
def test_sigterm_leaves_nothing_half_written(photo_folder, tmp_path):
    root = photo_folder({"a": 40, "b": 40}, size=400)
    words = [sys.executable, "-m", "tlkit", "prepare", str(root)]
    with subprocess.Popen(
        [*words, "--out", str(tmp_path / "data"), "--workers", "1"],
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr
        while "Read as" not in process.stderr.readline():
            pass
        process.terminate()
        process.wait(60)
    assert process.returncode == 128 + signal.SIGTERM
    assert not list(tmp_path.glob("*data*"))
    assert not list(tmp_path.glob(".data*"))
