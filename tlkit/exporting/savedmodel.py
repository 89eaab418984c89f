"""A finished run in, an artefact out that answers as the run does, and proof of it."""

from __future__ import annotations

import io
import json
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from PIL import Image

from tlkit import files
from tlkit.dataset.manifest import SPLITS, Manifest
from tlkit.errors import RunError, UsageError, unknown_name
from tlkit.evaluation.decision import decision_of
from tlkit.evaluation.evaluate import predict_pixels
from tlkit.evaluation.predict import predict
from tlkit.exporting import tf_preprocessing
from tlkit.exporting.verify import FreshProcess
from tlkit.imaging import decode as decoding
from tlkit.imaging import safe_read
from tlkit.imaging.resize import fit
from tlkit.progress import Progress, Silent
from tlkit.runs import result_dir as record
from tlkit.runs.result_dir import Run

SILENT = Silent()
FORMATS = ("savedmodel",)
SAMPLES = 12
# On the same pixels only the order of float32 sums differs.
PIXEL_TOLERANCE = 1e-4
# From bytes, a fitted pixel may differ by one level of 255 where decoders and resizers
# round differently.
BYTES_TOLERANCE = 0.02


@dataclass(frozen=True)
class Exported:
    """An artefact and how closely it answers as the run does.

    `pixel_difference` and `bytes_difference` are the largest differences of any class
    probability, 0 to 1, over `samples` images.
    """

    directory: Path
    samples: int
    pixel_difference: float
    bytes_difference: float


def export(
    run: Run | str | Path,
    *,
    format: str = "savedmodel",
    out: str | Path | None = None,
    data: str | Path | None = None,
    overwrite: bool = False,
    progress: Progress = SILENT,
) -> Exported:
    """Write a run as an artefact that takes raw images and answers with class names.

    Signature `serving_default` takes `image_bytes`, string [B]: JPEG, PNG, GIF, BMP or
    WebP files. Signature `pixels` takes `pixels`, uint8 [B, H, W, 3]. Both answer
    `probabilities` float32 [B, n] and `class_names` string [n], and `label` string [B];
    where images have several labels `present` bool [B, n] and `thresholds` float32
    [n] in its place. Where the run was told what is unknown, `label` may be "unknown";
    `guess` string [B], `known` bool [B], `confidence` float32 [B] and `unknown_below`
    float32 [] come with it.

    The artefact is loaded in a fresh process and compared with `predict` on images
    of the data set, and on turned, CMYK, gray and transparent versions of one of them.

    Args:
        run: A finished run, or its directory.
        format: One of FORMATS.
        out: Directory to make; RUN/exports/savedmodel where not given.
        data: Where the data set lies now, if it was moved.
        overwrite: Whether an earlier export may be replaced.
        progress: Told of all long work.

    Returns:
        Where it is, and what was measured.

    Raises:
        RunError: The artefact answers differently; it is not put in place then.
        UsageError: Unknown format, or `out` exists, or the artefact could not tell what
            is unknown.
    """
    if format not in FORMATS:
        error = unknown_name("export format", format, FORMATS)
        raise error
    run = run if isinstance(run, Run) else Run.read(run)
    if decision_of(run).by_distance:
        raise UsageError(
            "This run tells what is unknown by the distance from its training "
            "images, which an artefact does not hold.",
            hint="Let confidence tell first, or nothing: tlkit evaluate "
            f"{run.directory} --unknown coverage:0.95, or --unknown none.",
        )
    manifest = run.manifest(data)
    place = Path(out) if out else run.directory / "exports" / format
    with (
        files.replaced_directory(
            place, marker="metadata.json", overwrite=overwrite, what="tlkit export"
        ) as draft,
        FreshProcess() as fresh,
    ):
        progress.note("Writing the SavedModel")
        model = run.model()
        module, signatures = servable(model, run)
        tf.saved_model.save(module, str(draft), signatures=signatures)
        progress.note("Loading it in a fresh process and comparing it with predict")
        exported = _compare(run, model, manifest, draft, fresh)
        labels = "".join(f"{label}\n" for label in run.labels)
        files.write_text(draft / "labels.txt", labels)
        files.write_json(draft / "metadata.json", _metadata(run, exported))
    return Exported(
        place,
        exported.samples,
        exported.pixel_difference,
        exported.bytes_difference,
    )


def servable(
    model: keras.Model, run: Run
) -> tuple[tf.Module, dict[str, Callable[..., Any]]]:
    """The network with decoding before it and class names behind it."""
    module = tf.Module(name="tlkit_classifier")
    module.model = model
    module.class_names = tf.constant(list(run.labels))
    size, resize = run.size, run.config.inputs.resize
    one_column, decision = run.task.one_column, decision_of(run)

    def answer(pixels: tf.Tensor) -> dict[str, tf.Tensor]:
        scores = tf.cast(module.model(pixels, training=False), tf.float32)
        if one_column:
            scores = tf.concat([1.0 - scores, scores], axis=-1)
        return {
            **decision.outputs(scores),
            "probabilities": scores,
            "class_names": tf.identity(module.class_names),
        }

    def from_bytes(image_bytes: tf.Tensor) -> dict[str, tf.Tensor]:
        return answer(tf_preprocessing.decode_and_fit(image_bytes, size, resize))

    def from_pixels(pixels: tf.Tensor) -> dict[str, tf.Tensor]:
        return answer(tf_preprocessing.fit(pixels, size, resize))

    image_bytes = tf.TensorSpec([None], tf.string, "image_bytes")
    pixels = tf.TensorSpec([None, None, None, 3], tf.uint8, "pixels")
    return module, {
        "serving_default": tf.function(from_bytes, input_signature=[image_bytes]),
        "pixels": tf.function(from_pixels, input_signature=[pixels]),
    }


def _compare(
    run: Run,
    model: keras.Model,
    manifest: Manifest,
    artefact: Path,
    fresh: FreshProcess,
) -> Exported:
    with tempfile.TemporaryDirectory(prefix="tlkit-export-") as scratch:
        samples = Path(scratch, "samples")
        samples.mkdir()
        for i, data in enumerate(sample_images(manifest)):
            (samples / f"sample-{i:02d}").write_bytes(data)
        names = sorted(samples.iterdir())
        expected = predict(run, names, workers=0)
        resize = run.config.inputs.resize
        pixels = np.stack(
            [
                fit(decoding.decode(p.read_bytes()).pixels, run.size, resize)
                for p in names
            ]
        )
        np.save(samples / "pixels.npy", pixels)
        answers = fresh.answers(artefact, samples)
    wanted = np.array([list(p.probabilities.values()) for p in expected])
    from_bytes, from_pixels = (
        np.abs(np.array(answers[name]["probabilities"]) - scores)
        for name, scores in (
            ("from_bytes", wanted),
            ("from_pixels", predict_pixels(model, pixels)),
        )
    )
    measured = Exported(
        artefact, len(names), float(from_pixels.max()), float(from_bytes.max())
    )
    decision = decision_of(run)
    # What lies close together may change places within the tolerance.
    clear = decision.clear(wanted, BYTES_TOLERANCE)
    said = decision.said(answers["from_bytes"])
    same = np.array(said) == np.array([p.label for p in expected])
    if (
        answers["from_bytes"]["class_names"] != list(run.labels)
        or measured.pixel_difference > PIXEL_TOLERANCE
        or measured.bytes_difference > BYTES_TOLERANCE
        or not same[clear].all()
    ):
        raise RunError(
            f"The artefact answers differently from the run: from pixels by up to "
            f"{measured.pixel_difference:.2g} (allowed {PIXEL_TOLERANCE}), from bytes "
            f"by up to {measured.bytes_difference:.2g} (allowed {BYTES_TOLERANCE}).",
            hint="Nothing was exported. This is a fault of tlkit or of TensorFlow.",
        )
    return measured


def sample_images(manifest: Manifest) -> list[bytes]:
    """Encoded images to compare on, spread over a data set, and odd versions of one."""
    paths = [
        manifest.source / path
        for split in reversed(SPLITS)
        for path in dict.fromkeys(example.path for example in manifest.of(split))
    ]
    step = max(1, len(paths) // SAMPLES)
    chosen: list[bytes] = []
    first: np.ndarray | None = None
    for path in paths[::step][:SAMPLES]:
        try:
            data = safe_read.read_bytes(path)
            image = decoding.decode(data)
        except safe_read.Unusable:
            continue
        first = image.pixels if first is None else first
        if image.format in {"JPEG", "PNG", "GIF", "BMP", "WEBP"}:
            chosen.append(data)
    if first is None:
        raise RunError(
            f"None of the images of {manifest.directory} can be read, so there is "
            "nothing to compare the artefact on.",
            hint="Restore the images, or point --data at where they lie now.",
        )
    return [*chosen, *_odd_versions(Image.fromarray(first))]


def _odd_versions(image: Image.Image) -> list[bytes]:
    """The image turned by EXIF, in CMYK, in gray, and with transparency."""
    image.thumbnail((640, 640))
    ramp = np.linspace(0, 255, image.width).astype(np.uint8)
    veiled = image.convert("RGBA")
    veiled.putalpha(Image.fromarray(np.tile(ramp, (image.height, 1))))
    turned = Image.Exif()
    turned[decoding.ORIENTATION_TAG] = 6
    versions: list[tuple[Image.Image, str, dict[str, Any]]] = [
        (image, "JPEG", {"exif": turned, "quality": 92}),
        (image.convert("CMYK"), "JPEG", {"quality": 92}),
        (image.convert("L"), "JPEG", {"quality": 92}),
        (veiled, "PNG", {}),
    ]
    encoded = []
    for version, kind, options in versions:
        buffer = io.BytesIO()
        version.save(buffer, kind, **options)
        encoded.append(buffer.getvalue())
    return encoded


def _metadata(run: Run, measured: Exported) -> dict[str, Any]:
    outputs = {
        **decision_of(run).about(),
        "probabilities": f"float32 [B, {len(run.labels)}], in the order of class_names",
        "class_names": f"string [{len(run.labels)}]",
    }
    metrics = run.directory / "metrics.json"
    return {
        "labels": list(run.labels),
        "signatures": {
            "serving_default": {
                "image_bytes": "string [B], content of JPEG, PNG, GIF, BMP, WebP files"
            },
            "pixels": {"pixels": "uint8 [B, H, W, 3], RGB, upright, any size"},
        },
        "outputs": outputs,
        "input": {
            "size": run.size,
            "resize": run.config.inputs.resize,
            "exif_orientation": "applied, for JPEG, PNG and WebP",
            "transparency": "laid over white",
            "not_readable": "TIFF, PPM, JPEG 2000, AVIF: use tlkit predict, or pixels",
        },
        "compared_with_predict": {
            "samples": measured.samples,
            "largest_difference_from_pixels": measured.pixel_difference,
            "largest_difference_from_bytes": measured.bytes_difference,
            "tolerance_from_pixels": PIXEL_TOLERANCE,
            "tolerance_from_bytes": BYTES_TOLERANCE,
            "reason": "decoders and resizers may round a pixel by one level of 255",
        },
        "backbone": run.config.model.backbone,
        "cut": run.config.model.cut,
        "weights": run.info.get("weights"),
        "data_digest": run.info["data"]["checksum"],
        "versions": record.versions(),
        "metrics": json.loads(metrics.read_text()) if metrics.is_file() else None,
    }
