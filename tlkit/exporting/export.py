"""A run exported as a model for other programs, verified by its predictions."""

from __future__ import annotations

import io
import json
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
from PIL import Image

from tlkit import files
from tlkit.dataset.example import SPLITS
from tlkit.dataset.manifest import Manifest
from tlkit.errors import RunError, unknown_name
from tlkit.evaluation.postprocessing import postprocessing_of
from tlkit.evaluation.predict import predict_files, predict_pixels
from tlkit.exporting import savedmodel
from tlkit.exporting.verify import FreshProcess
from tlkit.imaging.decode import ORIENTATION_TAG, decode
from tlkit.imaging.resize import fit
from tlkit.imaging.safe_read import Unusable, read_bytes
from tlkit.progress import SILENT, Progress
from tlkit.runs.result_dir import versions
from tlkit.runs.run import Run

# Format to the function that writes a model of a run into a directory.
WRITERS = {"savedmodel": savedmodel.write}
FORMATS = tuple(WRITERS)
SAMPLES = 12
# On the same pixels only the order of float32 sums differs.
PIXEL_TOLERANCE = 1e-4
# From bytes, a fitted pixel may differ by one level of 255 where decoders and resizers
# round differently.
BYTES_TOLERANCE = 0.02


@dataclass(frozen=True)
class Exported:
    """An exported model, and its largest differences from the run.

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
    """Export a run as a model that takes raw images and returns class names.

    Signature `serving_default` takes `image_bytes`, string [B]: JPEG, PNG, GIF, BMP or
    WebP files. Signature `pixels` takes `pixels`, uint8 [B, H, W, 3]. Both return
    `probabilities` float32 [B, n], `class_names` string [n], and `label` string [B];
    where images have several labels `present` bool [B, n] and `thresholds` float32
    [n] in its place. With a rejection threshold `label` may be "unknown"; `guess`
    string [B], `known` bool [B], `confidence` float32 [B] and `unknown_below` float32
    [] come with it.

    The exported model is loaded in a fresh process and compared with `predict` on
    images of the data set, and on rotated, CMYK, gray and transparent versions of one.

    Args:
        run: A finished run, or its directory.
        format: One of FORMATS.
        out: Directory to make; by default RUN/exports/FORMAT.
        data: The data set directory, if it was moved.
        overwrite: Whether to replace an earlier export.
        progress: Receiver of reports on long work.

    Returns:
        The directory and the measured differences.

    Raises:
        RunError: The exported model differs from the run; nothing is exported then.
        UsageError: Unknown format, or `out` exists.
    """
    if format not in FORMATS:
        error = unknown_name("export format", format, FORMATS)
        raise error
    run = run if isinstance(run, Run) else Run.read(run)
    manifest = run.manifest(data)
    place = Path(out) if out else run.directory / "exports" / format
    with (
        files.replaced_directory(
            place, marker="metadata.json", overwrite=overwrite, what="tlkit export"
        ) as draft,
        FreshProcess() as fresh,
    ):
        progress.note("Writing the exported model")
        model = run.model()
        WRITERS[format](model, run, draft)
        progress.note("Comparing it, in a fresh process, with predict")
        exported = _compare(run, model, manifest, draft, fresh)
        labels = "".join(f"{label}\n" for label in run.labels)
        files.write_text(draft / "labels.txt", labels)
        files.write_json(draft / "metadata.json", _metadata(run, exported))
    return replace(exported, directory=place)


def _compare(
    run: Run,
    model: keras.Model,
    manifest: Manifest,
    exported: Path,
    fresh: FreshProcess,
) -> Exported:
    """Compare an exported model with the run on sample images."""
    with tempfile.TemporaryDirectory(prefix="tlkit-export-") as scratch:
        samples = Path(scratch, "samples")
        samples.mkdir()
        for i, data in enumerate(sample_images(manifest)):
            (samples / f"sample-{i:02d}").write_bytes(data)
        names = sorted(samples.iterdir())
        expected = predict_files(run, model, names, workers=0)
        resize = run.config.inputs.resize
        pixels = np.stack(
            [fit(decode(p.read_bytes()).pixels, run.size, resize) for p in names]
        )
        np.save(samples / "pixels.npy", pixels)
        outputs = fresh.outputs(exported, samples)
    scores = np.array([list(p.probabilities.values()) for p in expected])
    from_bytes, from_pixels = (
        float(np.abs(np.array(outputs[name]["probabilities"]) - run_scores).max())
        for name, run_scores in (
            ("from_bytes", scores),
            ("from_pixels", predict_pixels(model, pixels)),
        )
    )
    postprocessing = postprocessing_of(run)
    same = np.array(postprocessing.exported_labels(outputs["from_bytes"])) == np.array(
        [p.label for p in expected]
    )
    # Within the tolerance, two close classes may change places.
    stable = postprocessing.is_stable(scores, BYTES_TOLERANCE)
    if (
        outputs["from_bytes"]["class_names"] != list(run.labels)
        or from_pixels > PIXEL_TOLERANCE
        or from_bytes > BYTES_TOLERANCE
        or not same[stable].all()
    ):
        raise RunError(
            f"The exported model differs from the run: from pixels by up to "
            f"{from_pixels:.2g} (allowed {PIXEL_TOLERANCE}), from bytes by up to "
            f"{from_bytes:.2g} (allowed {BYTES_TOLERANCE}).",
            hint="Nothing was exported. This is a fault of tlkit or of TensorFlow.",
        )
    return Exported(exported, len(names), from_pixels, from_bytes)


def sample_images(manifest: Manifest) -> list[bytes]:
    """Read encoded images spread over a data set, and make unusual versions of one."""
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
            data = read_bytes(path)
            image = decode(data)
        except Unusable:
            continue
        first = image.pixels if first is None else first
        if image.format in {"JPEG", "PNG", "GIF", "BMP", "WEBP"}:
            chosen.append(data)
    if first is None:
        raise RunError(
            f"None of the images of {manifest.directory} can be read, so there is "
            "nothing to compare the exported model on.",
            hint="Restore the images, or give the moved data set with --data.",
        )
    return [*chosen, *_unusual_versions(Image.fromarray(first))]


def _unusual_versions(image: Image.Image) -> list[bytes]:
    """Encode an image rotated by EXIF, in CMYK, in gray, and with transparency."""
    image.thumbnail((640, 640))
    ramp = np.linspace(0, 255, image.width).astype(np.uint8)
    veiled = image.convert("RGBA")
    veiled.putalpha(Image.fromarray(np.tile(ramp, (image.height, 1))))
    exif = Image.Exif()
    exif[ORIENTATION_TAG] = 6
    versions: list[tuple[Image.Image, str, dict[str, Any]]] = [
        (image, "JPEG", {"exif": exif, "quality": 92}),
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
        **postprocessing_of(run).describe_outputs(),
        "probabilities": f"float32 [B, {len(run.labels)}], in the order of class_names",
        "class_names": f"string [{len(run.labels)}]",
    }
    metrics = run.directory / "metrics.json"
    return {
        "labels": list(run.labels),
        "signatures": savedmodel.SIGNATURES,
        "outputs": outputs,
        "input": {
            "size": run.size,
            "resize": run.config.inputs.resize,
            "exif_orientation": "applied, for JPEG, PNG and WebP",
            "transparency": "composited over white",
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
        "data_checksum": run.info["data"]["checksum"],
        "versions": versions(),
        "metrics": json.loads(metrics.read_text()) if metrics.is_file() else None,
    }
