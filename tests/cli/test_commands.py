import csv
import json
import os
import signal
import subprocess
import sys

import pytest
import typer
from PIL import Image

import tlkit
from tlkit.cli import app, run
from tlkit.cli.terminal import Interrupted, Terminal, harmless
from tlkit.config import SECTION_OF, build_config

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
        for parameter in command.params:
            assert len(parameter.help) > 5, (name, parameter.name)


def leaves(group, path=()):
    """Each command of the tree with the words that call it."""
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from leaves(command, (*path, name))
        else:
            yield " ".join((*path, name)), command


QUICK = (
    "--backbone", "smallcnn", "--weights", "none", "--size", "32",
    "--freeze-to", "block2", "--epochs", "1", "--workers", "0",
)  # fmt: skip


def test_cache_lists_and_clears(own_cache, prepared, tmp_path, capsys):
    place = tmp_path / "run"
    run(["finetune", str(prepared.directory), *QUICK, "--out", str(place)])
    capsys.readouterr()
    assert run(["cache", "list"]) == 0
    shown = capsys.readouterr()
    train, val = (len(prepared.of(side)) for side in ("train", "val"))
    rows = {line.split()[-4] for line in shown.out.splitlines()[1:]}
    assert rows == {str(4 * train), str(val)}
    assert "block2" in shown.out
    assert str(own_cache) in shown.err
    assert run(["cache", "clear"]) == 0
    assert run(["cache", "list"]) == 0
    assert "0.0 MB in" in capsys.readouterr().err


@pytest.mark.parametrize("views", ["2", "fresh"])
def test_views_are_a_number_or_a_word(prepared, tmp_path, views):
    place = ("--views", views, "--out", str(tmp_path / "run"))
    assert run(["finetune", str(prepared.directory), *QUICK, *place]) == 0
    config = build_config(recipe=tmp_path / "run" / "config.yaml")
    assert str(config.inputs.views) == views


def test_finetune_offers_every_option_of_the_configuration(capsys):
    run(["finetune", "--help"])
    shown = capsys.readouterr().out
    for name in SECTION_OF:
        assert f"--{name.replace('_', '-')}" in shown, name


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
        (["lr-find", "x", "--set", "train.lr=1"], 2, "tries all rates"),
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
def test_wrong_use_is_explained_without_a_traceback(arguments, code, words, capfd):
    assert run(arguments) == code
    out, err = capfd.readouterr()
    assert words in err
    assert "Traceback" not in out + err


def test_several_labels_from_evaluation_to_answers(finished_several, several, capfd):
    place, image = str(finished_several.directory), several.examples[0].path
    assert run(["evaluate", place, "--workers", "0", "--split", "val"]) == 0
    out, err = capfd.readouterr()
    assert "mAP" in out
    assert "average precision" in out
    assert "selected the epoch and the label thresholds" in err
    assert "classes.csv" in err
    assert "confusion" not in out + err
    command = ["predict", place, str(several.source / image), "--workers", "0"]
    assert run(command) == 0
    out = capfd.readouterr().out
    (answer,) = tlkit.predict(place, [several.source / image], workers=0)
    assert "labels" in out.splitlines()[0]
    for label in answer.labels:
        assert f"{label} {answer.probabilities[label]:.3f}" in out
    assert run([*command, "--format", "csv"]) == 0
    (row,) = csv.DictReader(capfd.readouterr().out.splitlines())
    assert row["label"] == answer.label
    assert not row["probability"]
    assert run([*command, "--format", "json"]) == 0
    (found,) = json.loads(capfd.readouterr().out)
    assert found["labels"] == list(answer.labels)


def test_predict_writes_json_and_nothing_else(finished, prepared, tmp_path, capfd):
    good = str(prepared.source / prepared.examples[0].path)
    bad = tmp_path / "bad, file.jpg"
    bad.write_text("x")
    command = ["predict", str(finished.directory), good, str(bad), "--format", "json"]
    assert run([*command, "--workers", "0"]) == 1
    rows = json.loads(capfd.readouterr().out)
    assert [row["path"] for row in rows] == [good, str(bad)]
    wanted = {"path", "label", "labels", "probability", "probabilities"}
    assert set(rows[0]) == wanted
    assert rows[1]["label"] is None
    assert "not-an-image" in rows[1]["error"]


def test_predict_writes_csv_and_a_table(finished, prepared, capfd):
    folder = str(prepared.source / "disc")
    command = ["predict", str(finished.directory), folder, "--workers", "0"]
    assert run([*command, "--format", "csv"]) == 0
    lines = capfd.readouterr().out.splitlines()
    assert lines[0] == "path,label,probability,error,p_bar,p_cross,p_disc"
    assert len(lines) == 1 + 14
    assert run(command) == 0
    assert "é.png" in capfd.readouterr().out


def test_evaluate_prints_the_interval(finished, capfd):
    assert run(["evaluate", str(finished.directory), "--workers", "0"]) == 0
    out, err = capfd.readouterr()
    assert "95 % interval" in out
    assert "macro F1" in out
    assert "errors.png" in err
    finished_split = ["evaluate", str(finished.directory), "--split", "val"]
    assert run([*finished_split, "--workers", "0"]) == 0
    assert "selected the epoch" in capfd.readouterr().err


def test_layers_lists_what_can_be_cut(capfd):
    assert run(["backbones", "show", "smallcnn"]) == 0
    assert "good cut" in capfd.readouterr().out


def test_doctor_finds_this_machine_fit(capfd):
    assert run(["doctor"]) == 0
    assert "tensorflow: 2." in capfd.readouterr().out


def test_an_unforeseen_fault_is_no_traceback_either(monkeypatch, capfd):
    monkeypatch.setattr("tlkit.cli.app", lambda *a, **k: 1 / 0)
    assert run([]) == 1
    assert "fault of tlkit" in capfd.readouterr().err
    monkeypatch.setenv("TLKIT_DEBUG", "1")
    run([])
    assert "Traceback" in capfd.readouterr().err


def test_an_interrupt_becomes_exit_code_130():
    with pytest.raises(Interrupted) as caught, Terminal():
        raise KeyboardInterrupt
    assert caught.value.exit_code == 130


def test_prepare_and_finetune_work_from_the_command_line(tmp_path, draw, capfd):
    for kind, name in enumerate(("Zürich west", "b")):
        (tmp_path / "my photos" / name).mkdir(parents=True)
        for i in range(8):
            Image.fromarray(draw(kind, i)).save(
                tmp_path / "my photos" / name / f"{i}.png"
            )
    data, place = tmp_path / "data", tmp_path / "run"
    photos = str(tmp_path / "my photos")
    assert run(["prepare", photos, "--out", str(data), "--workers", "0"]) == 0
    out, err = capfd.readouterr()
    assert "Zürich west" in out
    assert "Next: tlkit finetune" in err
    assert f"Look: {data / 'report.html'}\n" in err
    told = err.replace("\n", "").split(f"{data}: ")[1].split("Look:")[0].split(", ")
    assert {name.strip() for name in told} == {p.name for p in data.iterdir()}
    small = "--backbone smallcnn --weights none --size 32 --epochs 1 --workers 0"
    command = ["finetune", str(data), "--out", str(place), *small.split()]
    assert run([*command, "--set", "inputs.batch=4"]) == 0
    out, err = capfd.readouterr()
    assert "epoch   1/1" in err
    assert "Next: tlkit evaluate" in err
    assert (place / "model.keras").exists()


@pytest.mark.skipif(os.name != "posix", reason="there is no SIGTERM")
def test_being_ended_leaves_nothing_half_written(photo_folder, tmp_path):
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


def test_names_are_harmless_on_a_terminal():
    assert harmless("\x1b[31mred\u202e\ttab\nline\x00é") == (
        r"\x1b[31mred\u202e" + "\ttab\nline" + r"\x00é"
    )
