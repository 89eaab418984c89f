import pytest

from tlkit import files
from tlkit.errors import UsageError


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def settings(**changes):
    return {
        "marker": "m.json",
        "overwrite": False,
        "what": "test folder",
        **changes,
    }


def test_text_is_put_in_place_in_one_step(tmp_path):
    path = tmp_path / "a.txt"
    files.write_text(path, "one\n")
    files.write_text(path, "zwei ü\n")
    assert path.read_bytes() == "zwei ü\n".encode()
    assert names(tmp_path) == ["a.txt"]


def test_json_refuses_what_is_not_json(tmp_path):
    with pytest.raises(ValueError, match="JSON"):
        files.write_json(tmp_path / "a.json", float("nan"))


def test_a_directory_appears_only_when_it_is_whole(tmp_path):
    place = tmp_path / "x" / "test folder"
    with files.replaced_directory(place, **settings()) as draft:
        (draft / "m.json").write_text("1")
        assert not place.exists()
    assert names(place) == ["m.json"]
    with (
        pytest.raises(UsageError, match="--overwrite"),
        files.replaced_directory(place, **settings()),
    ):
        pass
    with (
        pytest.raises(RuntimeError),
        files.replaced_directory(place, **settings(overwrite=True)) as draft,
    ):
        raise RuntimeError
    assert names(place) == ["m.json"]
    with files.replaced_directory(place, **settings(overwrite=True)) as draft:
        (draft / "new").touch()
    assert names(place) == ["new"]
    assert names(tmp_path / "x") == ["test folder"]


def test_a_foreign_directory_is_left_alone(tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "a").touch()
    with (
        pytest.raises(UsageError, match="left alone"),
        files.replaced_directory(tmp_path / "mine", **settings(overwrite=True)),
    ):
        pass


def test_a_place_that_cannot_be_made(tmp_path):
    (tmp_path / "file").touch()
    with (
        pytest.raises(UsageError, match="cannot be written"),
        files.replaced_directory(tmp_path / "file" / "x", **settings()),
    ):
        pass
