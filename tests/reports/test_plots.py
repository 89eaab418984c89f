import numpy as np
import pytest
from PIL import Image

from tlkit.reports import plots


def is_image(path):
    with Image.open(path) as image:
        pixels = np.asarray(image.convert("L"))
    return pixels.shape[0] > 100 and pixels.std() > 1


def test_curves_confusion_and_gallery_are_drawn(tmp_path, draw):
    row = {"loss": 1.0, "accuracy": 0.5, "val_loss": 1.1, "val_accuracy": 0.4}
    history = [{"epoch": i, **row} for i in (1, 2)]
    plots.draw_curves(history, tmp_path / "a.png", 2)
    plots.draw_confusion(np.array([[3, 1], [0, 9]]), ["a", "b"], tmp_path / "b.png")
    plots.draw_confusion(np.eye(50, dtype=int), ["x"] * 50, tmp_path / "c.png")
    images = np.stack([draw(0, i, 32) for i in range(7)])
    plots.draw_gallery(images, ["one\ntwo"] * 7, tmp_path / "d.png")
    plots.draw_gallery(images[:0], [], tmp_path / "e.png")
    for path in tmp_path.iterdir():
        assert is_image(path), path
    assert sorted(p.name for p in tmp_path.iterdir()) == [f"{c}.png" for c in "abcde"]


@pytest.mark.parametrize("label", ["$x^{2$", "猫", "a_b%", "\\frac"])
def test_any_label_can_be_drawn(tmp_path, label):
    plots.draw_confusion(np.eye(2, dtype=int), [label, "b"], tmp_path / "a.png")
    assert is_image(tmp_path / "a.png")
