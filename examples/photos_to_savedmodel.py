"""The whole way from Python: a folder of photos to a checked SavedModel.

python examples/photos_to_savedmodel.py PHOTOS WORK --backbone inception --cut mixed7
"""

from __future__ import annotations

import argparse
from pathlib import Path

import tlkit


def main(arguments: list[str] | None = None) -> None:
    """Prepare, train, score and export."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("photos", type=Path)
    parser.add_argument("work", type=Path)
    parser.add_argument("--backbone", default="mobilenet_v2")
    parser.add_argument("--weights", default="imagenet")
    parser.add_argument("--cut")
    parser.add_argument("--size", type=int)
    parser.add_argument("--epochs", type=int, default=20)
    options = parser.parse_args(arguments)

    manifest = tlkit.prepare(options.photos, options.work / "data")
    print(f"{len(manifest.examples)} images of {', '.join(manifest.labels)}")

    run = tlkit.finetune(
        manifest.directory,
        options.work / "run",
        backbone=options.backbone,
        weights=options.weights,
        cut=options.cut,
        size=options.size,
        epochs=options.epochs,
    )
    metrics = tlkit.evaluate(run)
    low, high = metrics["accuracy_ci95"]
    print(f"{metrics['split']}: {metrics['accuracy']:.3f} ({low:.3f} to {high:.3f})")

    exported = tlkit.export(run)
    print(f"{exported.directory}: differs by {exported.bytes_difference:.1e} at most")


if __name__ == "__main__":
    main()
