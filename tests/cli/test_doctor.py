from tlkit.cli import run


def test_doctor_finds_this_machine_fit(capfd):
    assert run(["doctor"]) == 0
    assert "tensorflow: 2." in capfd.readouterr().out
