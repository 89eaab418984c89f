from tlkit.cli import run
from tlkit.config import build_config

QUICK = (
    "--backbone", "smallcnn", "--weights", "none", "--size", "32",
    "--freeze-to", "block2", "--epochs", "1", "--workers", "0",
)  # fmt: skip


def test_cache_lists_and_clears(own_cache, prepared, tmp_path, capsys):
    place = ["--views", "2", "--out", str(tmp_path / "run")]
    assert run(["finetune", str(prepared.directory), *QUICK, *place]) == 0
    assert build_config(recipe=tmp_path / "run/config.yaml").inputs.views == 2
    capsys.readouterr()
    assert run(["cache", "list"]) == 0
    shown = capsys.readouterr()
    train, val = (len(prepared.of(split)) for split in ("train", "val"))
    rows = {line.split()[-4] for line in shown.out.splitlines()[1:]}
    assert rows == {str(2 * train), str(val)}
    assert "block2" in shown.out
    assert str(own_cache) in shown.err
    assert run(["cache", "clear"]) == 0
    assert run(["cache", "list"]) == 0
    assert "0.0 MB in" in capsys.readouterr().err
