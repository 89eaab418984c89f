import json
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

from tlkit.errors import RunError, UsageError
from tlkit.evaluation.predict import predict
from tlkit.exporting import tf_preprocessing
from tlkit.exporting.export import BYTES_TOLERANCE, export
from tlkit.tasks.multilabel import Multilabel


@pytest.fixture(scope="module")
def exported(finished):
    return export(finished)


def test_the_artefact_answers_as_predict_does(exported, finished, prepared):
    assert exported.directory == finished.directory / "exports" / "savedmodel"
    assert exported.pixel_difference < 1e-5
    assert exported.bytes_difference < BYTES_TOLERANCE
    files = [prepared.source / e.path for e in prepared.examples[:5]]
    loaded = tf.saved_model.load(str(exported.directory))
    said = loaded.signatures["serving_default"](
        image_bytes=tf.constant([f.read_bytes() for f in files])
    )
    answers = predict(finished, files, workers=0)
    assert [x.decode() for x in said["label"].numpy()] == [a.label for a in answers]
    assert [x.decode() for x in said["class_names"].numpy()] == list(finished.labels)
    wanted = np.array([list(a.probabilities.values()) for a in answers])
    np.testing.assert_allclose(said["probabilities"].numpy(), wanted, atol=0.02)


def test_pixels_of_any_size_are_taken(exported, finished):
    loaded = tf.saved_model.load(str(exported.directory))
    pixels = np.random.default_rng(0).integers(0, 256, (2, 51, 70, 3), np.uint8)
    said = loaded.signatures["pixels"](pixels=tf.constant(pixels))
    assert said["probabilities"].shape == (2, 3)
    np.testing.assert_allclose(said["probabilities"].numpy().sum(axis=1), 1, atol=1e-5)


def test_an_artefact_with_several_labels(finished_several, several, tmp_path):
    exported = export(finished_several, out=tmp_path / "artefact")
    assert exported.pixel_difference < 1e-5
    files = [several.source / e.path for e in several.of("test")]
    loaded = tf.saved_model.load(str(exported.directory))
    said = loaded.signatures["serving_default"](
        image_bytes=tf.constant([f.read_bytes() for f in files])
    )
    outputs = {"present", "thresholds", "probabilities", "class_names"}
    assert set(said) == outputs
    names = [name.decode() for name in said["class_names"].numpy()]
    present, limits = said["present"].numpy(), said["thresholds"].numpy()
    np.testing.assert_array_equal(present, said["probabilities"].numpy() >= limits)
    answers = predict(finished_several, files, workers=0)
    # PNGs are decoded and squashed to the same pixels.
    for row, answer in zip(present, answers, strict=True):
        assert tuple(np.array(names)[row]) == answer.labels
    assert 0 < present.sum() < present.size
    metadata = json.loads((exported.directory / "metadata.json").read_text())
    assert set(metadata["outputs"]) == outputs


def test_labels_that_differ_are_refused(finished_several, tmp_path, monkeypatch):
    outputs = Multilabel.outputs

    def wrong(self, scores):
        said = outputs(self, scores)
        return {**said, "present": ~said["present"]}

    monkeypatch.setattr(Multilabel, "outputs", wrong)
    with pytest.raises(RunError, match="differs from the run"):
        export(finished_several, out=tmp_path / "artefact")
    assert not list(tmp_path.iterdir())


def test_what_lies_beside_it(exported, finished):
    assert (exported.directory / "labels.txt").read_text().split() == list(
        finished.labels
    )
    metadata = json.loads((exported.directory / "metadata.json").read_text())
    assert metadata["labels"] == list(finished.labels)
    assert metadata["input"]["size"] == 32
    compared = metadata["compared_with_predict"]
    assert compared["samples"] == exported.samples >= 5
    assert compared["largest_difference_from_bytes"] == exported.bytes_difference


def test_saved_model_cli_prints_sensible_names(exported):
    command = [
        sys.executable, "-m", "tensorflow.python.tools.saved_model_cli",
        "show", "--dir", str(exported.directory), "--all",
    ]  # fmt: skip
    shown = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    for name in ("image_bytes", "pixels", "label", "probabilities", "class_names"):
        assert f"['{name}']" in shown


def test_an_exported_model_that_differs_is_removed(finished, tmp_path, monkeypatch):
    monkeypatch.setattr(
        tf_preprocessing,
        "decode_and_fit",
        lambda data, size, resize: tf.zeros(
            [tf.shape(data)[0], size, size, 3], tf.uint8
        ),
    )
    with pytest.raises(RunError, match="differs from the run"):
        export(finished, out=tmp_path / "artefact")
    assert not list(tmp_path.iterdir())


def test_wrong_use_is_explained(exported, finished, tmp_path):
    with pytest.raises(UsageError, match="savedmodel"):
        export(finished, format="saved_model")
    with pytest.raises(UsageError, match="--overwrite"):
        export(finished)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "x").touch()
    with pytest.raises(UsageError, match="left alone"):
        export(finished, out=tmp_path / "mine", overwrite=True)
