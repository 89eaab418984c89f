import pytest

from tlkit import cli
from tlkit.cli import demo, run


def test_the_commands_are_the_five_steps(tmp_path, monkeypatch, capfd):
    called = []

    def note(command):
        called.append(command)
        return 0

    monkeypatch.setattr(cli, "run", note)
    place = tmp_path / "demo"
    assert run(["demo", "--out", str(place)]) == 0
    assert [command[0] for command in called] == [
        "prepare", "finetune", "evaluate", "predict", "export",
    ]  # fmt: skip
    shown = capfd.readouterr().err
    for command in called:
        assert f"$ tlkit {command[0]} " in shown
    assert run(["demo", "--out", str(place)]) == 2
    assert "--overwrite" in capfd.readouterr().err
    assert run(["demo", "--out", str(place), "--overwrite"]) == 0


@pytest.mark.parametrize(
    ("code", "left", "message"),
    [(1, 1, "tlkit prepare failed with exit code 1"), (130, 130, "Interrupted.")],
)
def test_a_failing_step_ends_the_demo(
    tmp_path, monkeypatch, capfd, code, left, message
):
    monkeypatch.setattr(cli, "run", lambda command: code)
    assert run(["demo", "--out", str(tmp_path / "demo")]) == left
    assert message in capfd.readouterr().err


def test_an_impossible_place_is_reported(tmp_path, capfd):
    (tmp_path / "file").touch()
    assert run(["demo", "--out", str(tmp_path / "file" / "demo")]) == 2
    assert "cannot be written to" in capfd.readouterr().err


@pytest.mark.parametrize("overwrite", [[], ["--overwrite"]])
def test_a_folder_that_is_not_a_demo_is_left_alone(tmp_path, overwrite, capfd):
    (tmp_path / "thesis.txt").write_text("years of work")
    assert run(["demo", "--out", str(tmp_path), *overwrite]) == 2
    assert "is not a demo, so it is left alone" in capfd.readouterr().err
    assert (tmp_path / "thesis.txt").exists()
    assert demo.MARKER not in {path.name for path in tmp_path.iterdir()}
