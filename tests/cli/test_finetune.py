import pytest
from PIL import Image

from tests.cli.test_cache import QUICK
from tlkit.cli import run
from tlkit.config import build_config


@pytest.mark.parametrize("views", ["2", "fresh"])
def test_views_are_a_number_or_a_word(prepared, tmp_path, views):
    place = ("--views", views, "--out", str(tmp_path / "run"))
    assert run(["finetune", str(prepared.directory), *QUICK, *place]) == 0
    config = build_config(recipe=tmp_path / "run" / "config.yaml")
    assert str(config.inputs.views) == views


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
