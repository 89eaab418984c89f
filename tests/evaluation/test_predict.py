import numpy as np
import pytest

from tlkit.errors import UsageError
from tlkit.evaluation.predict import find_images, predict
from tlkit.imaging.decode import decode
from tlkit.imaging.resize import fit


def test_answers_are_the_networks_for_the_fitted_images(finished, prepared):
    files = [prepared.source / e.path for e in prepared.examples[:40]]
    answers = predict(finished, files, workers=0)
    assert [a.path for a in answers] == [str(f) for f in files]
    pixels = [fit(decode(f.read_bytes()).pixels, 32, "squash") for f in files]
    scores = np.asarray(finished.model()(np.stack(pixels), training=False))
    for answer, row in zip(answers, scores, strict=True):
        assert list(answer.probabilities) == list(finished.labels)
        np.testing.assert_allclose(list(answer.probabilities.values()), row, atol=1e-6)
        assert answer.label == finished.labels[row.argmax()]
        assert answer.probability == max(answer.probabilities.values())


@pytest.mark.parametrize("workers", [0, 2])
def test_unreadable_files_are_told_and_the_rest_goes_on(
    finished, prepared, tmp_path, workers
):
    good = prepared.source / prepared.examples[0].path
    (tmp_path / "text.jpg").write_text("no image")
    (tmp_path / "empty.png").touch()
    (tmp_path / "cut.png").write_bytes(good.read_bytes()[:200])
    names = [tmp_path / n for n in ("text.jpg", "empty.png", "cut.png", "gone.jpg")]
    answers = predict(finished, [*names, good], workers=workers)
    assert [a.label is None for a in answers] == [True] * 4 + [False]
    reasons = [str(a.error).split(":")[0] for a in answers[:4]]
    assert reasons == ["not-an-image", "empty", "truncated", "missing"]


def test_files_folders_and_patterns_are_found_in_natural_order(tmp_path):
    for name in ("a/2.png", "a/10.png", "a/deep/1.png", "a/.hidden", "b [1].png"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True, parents=True)
        path.touch()
    found = find_images([tmp_path / "a"])
    assert [p.relative_to(tmp_path).as_posix() for p in found] == [
        "a/2.png", "a/10.png", "a/deep/1.png",
    ]  # fmt: skip
    assert [p.name for p in find_images([str(tmp_path / "a" / "*.png")])] == [
        "2.png", "10.png",
    ]  # fmt: skip
    assert find_images([tmp_path / "b [1].png"]) == [tmp_path / "b [1].png"]


def test_a_pattern_that_matches_nothing_is_an_error(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.png").touch()
    (tmp_path / "folder.jpg").mkdir()
    for pattern in ("*.jpg", "b[1].png", "**/?.gif"):
        with pytest.raises(UsageError, match="matches no file") as caught:
            find_images(["a.png", pattern])
        assert repr(pattern) in caught.value.message
        assert str(tmp_path) in caught.value.hint
    with pytest.raises(UsageError, match="matches no file") as caught:
        find_images([tmp_path / "*.jpg"])
    assert not caught.value.hint
    assert [p.name for p in find_images(["*.png", "gone.jpg"])] == [
        "a.png", "gone.jpg",
    ]  # fmt: skip


def test_nothing_to_predict_is_an_error(finished, tmp_path):
    (tmp_path / "none").mkdir()
    with pytest.raises(UsageError, match=r"got empty folders: .*none"):
        predict(finished, [tmp_path / "none"])
