import shutil
import socket

from tlkit.backbones.weights.sources import NANO_FILE
from tlkit.runs import doctor


def test_a_hint_where_weights_cannot_be_reached(monkeypatch):
    def refuse(*_, **__):
        raise OSError("no route")

    monkeypatch.setattr(socket, "create_connection", refuse)
    check = doctor.examine()[-1]
    assert not check.fine
    assert not check.needed
    assert "--weights" in check.advice


def test_the_weights_on_this_machine_are_listed(monkeypatch, tmp_path):
    (tmp_path / "models").mkdir()
    name = "vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5"
    shutil.copyfile(NANO_FILE, tmp_path / "models" / name)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    found = {check.name: check for check in doctor.examine()}
    assert "VGG16 in " in found["ImageNet weights on this machine"].found
