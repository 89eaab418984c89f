import json
import shutil

import pytest

from tlkit.errors import RunError, UsageError
from tlkit.progress import Silent
from tlkit.runs.result_dir import versions
from tlkit.runs.run import Run


@pytest.fixture
def copy(finished, tmp_path):
    return shutil.copytree(finished.directory, tmp_path / "copy")


def test_a_run_is_read_back_as_it_was_written(finished):
    again = Run.read(finished.directory)
    assert again == finished
    assert again.size == 32
    assert again.state == "finished"


@pytest.mark.parametrize(
    ("name", "content", "word"),
    [
        ("run.json", "{", "damaged"),
        ("run.json", "{}", "it lacks labels"),
        ("run.json", "[]", "it lacks labels"),
        ("run.json", None, "not a run directory"),
        ("labels.txt", None, "not a run directory"),
        ("config.yaml", "model: {backbone: nope}", "Unknown backbone"),
    ],
)
def test_a_damaged_run_is_explained(copy, name, content, word):
    if content is None:
        (copy / name).unlink()
    else:
        (copy / name).write_text(content)
    with pytest.raises(RunError, match=word):
        Run.read(copy)


def test_a_damaged_model_is_explained(copy):
    (copy / "model.keras").write_bytes(b"x")
    with pytest.raises(RunError, match=r"model\.keras is damaged"):
        Run.read(copy).model()


def test_missing_metrics_name_the_command_that_makes_them(copy):
    (copy / "metrics.json").unlink()
    with pytest.raises(RunError, match="tlkit evaluate"):
        Run.read(copy).metrics()


def test_updates_are_on_disk(copy):
    Run.read(copy).update(note=3)
    assert json.loads((copy / "run.json").read_text())["note"] == 3


def test_a_failed_run_with_a_checkpoint_is_kept_beside_the_old_one(copy):
    before = (copy / "model.keras").read_bytes()

    def fail():
        with Run.create(copy, overwrite=True, progress=Silent()) as place:
            (place / "checkpoint" / "1-head").mkdir(parents=True)
            (place / "checkpoint" / "1-head" / "state.json").write_text("{}")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert (copy / "checkpoint" / "1-head" / "state.json").read_text() == "{}"
    old = [p for p in copy.parent.iterdir() if p.name.endswith(".previous")]
    assert len(old) == 1
    assert (old[0] / "model.keras").read_bytes() == before


def test_a_place_that_cannot_be_made(tmp_path):
    (tmp_path / "file").touch()
    with (
        pytest.raises(UsageError, match="cannot be written"),
        Run.create(tmp_path / "file" / "run", overwrite=False, progress=Silent()),
    ):
        pass


def test_versions_name_what_results_depend_on():
    assert versions()["python"].count(".") == 2
    assert versions()["tensorflow"].startswith("2.")
