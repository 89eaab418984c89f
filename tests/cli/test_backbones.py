from tlkit.cli import run


def test_show_lists_the_cuts_of_a_network(capfd):
    assert run(["backbones", "show", "smallcnn"]) == 0
    assert "good cut" in capfd.readouterr().out
