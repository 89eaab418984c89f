import runpy

from tests.conftest import ROOT


def load(name):
    return runpy.run_path(str(ROOT / "examples" / f"{name}.py"))["main"]


def test_the_whole_way_and_serving_what_comes_of_it(photo_folder, tmp_path, capsys):
    photos = photo_folder({"disc": 8, "bar": 8}, size=40)
    small = "--backbone smallcnn --weights none --size 32 --epochs 1"
    load("photos_to_savedmodel")([str(photos), str(tmp_path), *small.split()])
    assert "16 images of bar, disc" in capsys.readouterr().out
    artefact = str(tmp_path / "run" / "exports" / "savedmodel")
    files = sorted(str(path) for path in (photos / "disc").iterdir())[:3]
    load("serve_savedmodel")([artefact, *files])
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0] for line in lines] == files


def test_every_example_is_tested():
    names = {path.stem for path in (ROOT / "examples").glob("[a-z]*")}
    assert names == {"photos_to_savedmodel", "pretrain_nano", "serve_savedmodel"}
