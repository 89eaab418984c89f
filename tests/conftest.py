"""Images drawn for tests, and the one way to the shared real ones."""

from __future__ import annotations

import gc
import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image

ROOT = Path(__file__).resolve().parents[1]


def shared_folder(name: str) -> Path:
    """A folder of the shared real material; skips the test, visibly, without it.

    TLKIT_SHARED names its place; by default it lies beside the checkout.
    """
    place = Path(os.environ.get("TLKIT_SHARED", ROOT.parent / "shared")) / name
    if not place.is_dir():
        pytest.skip(f"no {place}: set TLKIT_SHARED to run this on real material")
    return place


def pytest_collection_finish():
    """Garbage is not looked for in what imports have made, a million of objects."""
    gc.freeze()


@pytest.fixture(scope="session", autouse=True)
def _own_cache(tmp_path_factory):
    """No test sees, or fills, the cache of who runs it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TLKIT_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture
def own_cache(tmp_path, monkeypatch):
    """An empty cache for this test alone."""
    monkeypatch.setenv("TLKIT_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def float32_engines(monkeypatch):
    """OpenVINO in float32 on a processor that has bfloat16, too.

    For tests of what is exact; that of the engines has its tolerance for 8 bits.
    """
    from tlkit.features.engines.openvino import OpenVinoEngine

    monkeypatch.setattr(OpenVinoEngine, "_precision", lambda self, key: "float32")


@pytest.fixture
def plain_plots(monkeypatch):
    """Plots are made but not rendered, which is a quarter of a small run.

    For tests that look at none; tests/reports and the shared runs render all.
    """
    from tlkit.reports import plots

    monkeypatch.setattr(
        plots,
        "_save",
        lambda figure, path: plots._write(Image.new("RGB", (1, 1)), path),
    )


@pytest.fixture
def eager(monkeypatch):
    """Steps run without being traced, which takes longer than a few steps do.

    For tests of what surrounds the steps; others run them as they are traced.
    """
    import keras

    compiled = keras.Model.compile

    def compile_eager(self, *args, **options):
        compiled(self, *args, **{**options, "run_eagerly": True})

    monkeypatch.setattr(keras.Model, "compile", compile_eager)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    return shared_folder("data")


@pytest.fixture(scope="session")
def shared_weights() -> Path:
    return shared_folder("weights")


def draw_image(kind: int, seed: int, size: int = 64) -> np.ndarray:
    """An image [size, size, 3] uint8 whose class shows: a disc, a bar, a cross, ...

    Images of one kind with different seeds are clearly different images: place,
    size, colors and background texture all come from the seed.
    """
    rng = np.random.default_rng([kind, seed])
    ground = rng.integers(0, 200, (8, 8, 3)).astype(np.uint8)
    pixels = np.array(
        Image.fromarray(ground).resize((size, size), Image.Resampling.BICUBIC)
    )
    yy, xx = np.mgrid[:size, :size]
    cy, cx = rng.uniform(0.35, 0.65, 2) * size
    r = rng.uniform(0.18, 0.3) * size
    masks = (
        (yy - cy) ** 2 + (xx - cx) ** 2 < r**2,
        (abs(yy - cy) < r / 3) & (abs(xx - cx) < 1.4 * r),
        (abs(yy - cy) < r / 4) | (abs(xx - cx) < r / 4),
    )
    pixels[masks[kind % 3]] = rng.integers(180, 256, 3)
    return pixels


@pytest.fixture
def draw():
    return draw_image


@pytest.fixture
def photo_folder(tmp_path):
    """A factory of class folders: photo_folder({"disc": 12, "bar": 12}) -> Path."""

    def make(counts: dict[str, int], where: Path | None = None, size: int = 64) -> Path:
        root = where or tmp_path / "photos"
        for kind, (name, count) in enumerate(counts.items()):
            (root / name).mkdir(parents=True, exist_ok=True)
            for i in range(count):
                image = Image.fromarray(draw_image(kind, i, size))
                image.save(root / name / f"{name}_{i:03d}.png")
        return root

    return make


SMALL: dict[str, Any] = {
    "backbone": "smallcnn",
    "weights": "none",
    "size": 32,
    "augment": "light",
    "hflip": True,
    "batch": 8,
    "epochs": 3,
    "head": "gap,dropout:0.3",
    "workers": 0,
}


@pytest.fixture(scope="session")
def prepared(tmp_path_factory):
    """A small data set of three kinds of drawing; tests must not change it."""
    import tlkit

    root = tmp_path_factory.mktemp("prepared")
    for kind, name in enumerate(("disc", "bar", "cross")):
        (root / "photos" / name).mkdir(parents=True)
        for i in range(14):
            image = Image.fromarray(draw_image(kind, i))
            image.save(root / "photos" / name / f"{name} {i:02d} é.png")
    return tlkit.prepare(root / "photos", root / "data", workers=0, near=False)


@pytest.fixture(scope="session")
def finished(prepared, tmp_path_factory):
    """A finished run on `prepared`; tests must not change it."""
    import tlkit

    place = tmp_path_factory.mktemp("finished") / "run"
    return tlkit.finetune(prepared.directory, place, **SMALL)


COLORS = ("blue", "green", "red")


def draw_several(colors: tuple[int, ...], seed: int) -> np.ndarray:
    """An image [64, 64, 3] uint8 in gray, with a patch of each of some colors."""
    rng = np.random.default_rng([*colors, seed])
    ground = rng.integers(40, 200, (8, 8)).astype(np.uint8)
    gray = np.array(Image.fromarray(ground).resize((64, 64), Image.Resampling.BICUBIC))
    pixels = np.stack([gray] * 3, axis=-1)
    for color, corner in zip(colors, rng.permutation(4), strict=False):
        y, x = 32 * (corner // 2) + 4, 32 * (corner % 2) + 4
        pixels[y : y + 24, x : x + 24] = rng.integers(0, 60, 3)
        pixels[y : y + 24, x : x + 24, 2 - color] = rng.integers(200, 256)
    return pixels


def several_photos(root: Path, count: int) -> Path:
    """Images with one to three labels each, and the table that says which."""
    root.mkdir(parents=True)
    lines = ["path,label"]
    sets = [(0,), (1,), (2,), (0, 1), (0, 2), (1, 2), (0, 1, 2)]
    for i in range(count):
        shown = sets[i % len(sets)]
        Image.fromarray(draw_several(shown, i)).save(root / f"{i:03d}.png")
        lines.append(f"{i:03d}.png,{'|'.join(COLORS[k] for k in shown)}")
    (root / "labels.csv").write_text("\n".join(lines) + "\n")
    return root


@pytest.fixture(scope="session")
def several(tmp_path_factory):
    """A small data set with several labels an image; tests must not change it."""
    import tlkit

    root = tmp_path_factory.mktemp("several")
    return tlkit.prepare(
        *(several_photos(root / "photos", 84), root / "data"),
        separator="|", multi_label=True, workers=0, near=False, val=0.25, test=0.25,
    )  # fmt: skip


@pytest.fixture(scope="session")
def finished_several(several, tmp_path_factory):
    """A finished run on `several`; tests must not change it."""
    import tlkit

    place = tmp_path_factory.mktemp("finished_several") / "run"
    return tlkit.finetune(several.directory, place, **SMALL)


@pytest.fixture
def small() -> dict[str, Any]:
    return dict(SMALL)


@pytest.fixture
def told():
    """What was reported: a Progress with lists of notes, warnings and tasks."""
    lines = SimpleNamespace(notes=[], warnings=[], tasks={}, done=0)

    def start(task, total=None):
        lines.tasks[task] = total

    def advance(steps=1):
        lines.done += steps

    lines.start, lines.advance = start, advance
    lines.note, lines.warn = lines.notes.append, lines.warnings.append
    return lines
