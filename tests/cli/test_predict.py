import json

from tlkit.cli import run


def test_predict_writes_json_and_nothing_else(finished, prepared, tmp_path, capfd):
    good = str(prepared.source / prepared.examples[0].path)
    bad = tmp_path / "bad, file.jpg"
    bad.write_text("x")
    command = ["predict", str(finished.directory), good, str(bad), "--format", "json"]
    assert run([*command, "--workers", "0"]) == 1
    rows = json.loads(capfd.readouterr().out)
    assert [row["path"] for row in rows] == [good, str(bad)]
    expected = {"path", "label", "labels", "probability", "probabilities"}
    assert set(rows[0]) == expected
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
