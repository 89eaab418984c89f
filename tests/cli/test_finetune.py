from PIL import Image

from tlkit.cli import run


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
    listed = err.replace("\n", "").split(f"{data}: ")[1].split("Look:")[0].split(", ")
    assert {name.strip() for name in listed} == {p.name for p in data.iterdir()}
    small = "--backbone smallcnn --weights none --size 32 --epochs 1 --workers 0"
    command = ["finetune", str(data), "--out", str(place), *small.split()]
    assert run([*command, "--set", "inputs.batch=4"]) == 0
    out, err = capfd.readouterr()
    assert "epoch   1/1" in err
    assert "Next: tlkit evaluate" in err
    assert (place / "model.keras").exists()
