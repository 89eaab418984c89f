import pytest

from tlkit.cli import run

QUICK = (
    "--backbone", "smallcnn", "--weights", "none", "--size", "32", "--freeze-to",
    "block4", "--epochs", "1", "--workers", "0", "--augment", "none", "--hflip",
)  # fmt: skip


def test_scores_are_printed_and_compared(prepared, tmp_path, capsys):
    quick = ["cross-validate", str(prepared.directory), *QUICK, "--folds", "2"]
    quick += ["--repeats", "2"]
    assert run([*quick, "--out", str(tmp_path / "one")]) == 0
    shown = capsys.readouterr()
    assert "2 folds, drawn 2 times: accuracy" in shown.out
    assert "the 6 of the test split are not used" in shown.err
    assert "--baseline" in shown.err
    both = [*quick, "--head", "gmp", "--out", str(tmp_path / "two")]
    assert run([*both, "--baseline", str(tmp_path / "one")]) == 0
    shown = capsys.readouterr()
    assert f"against {tmp_path / 'one'}: accuracy" in shown.out
    assert "noise" in shown.err
    assert run(["cross-validate", "--resume", str(tmp_path / "one")]) == 2


@pytest.mark.parametrize("folds", ["0", "1", "-1"])
def test_fewer_than_two_folds_are_refused(prepared, tmp_path, capsys, folds):
    place = ["--folds", folds, "--out", str(tmp_path / "out")]
    assert run(["cross-validate", str(prepared.directory), *QUICK, *place]) == 2
    assert f"got {folds}" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
