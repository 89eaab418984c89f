"""Plots as PNG files, drawn without a screen and without global state."""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from tlkit import files

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure


GALLERY = 24
MARKERS = "o^sDv<>pX*"
# Side of an image in the gallery, pixels.
TILE = 256


def draw_curves(history: Sequence[dict[str, float]], path: Path, best: int) -> None:
    """Draw loss and accuracy over the epochs, with the best epoch marked.

    Args:
        history: One row per epoch, with epoch, loss, accuracy, val_loss, val_accuracy.
        path: The PNG file.
        best: The epoch whose weights were kept, counted from 1.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 4), layout="constrained")
    epochs = [row["epoch"] for row in history]
    for axes, name in zip(figure.subplots(1, 2), ("loss", "accuracy"), strict=True):
        axes.plot(epochs, [row[name] for row in history], label="training")
        axes.plot(epochs, [row[f"val_{name}"] for row in history], label="validation")
        axes.axvline(best, color="gray", linestyle=":", label=f"kept: epoch {best}")
        axes.set(xlabel="epoch", title=name)
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.grid(alpha=0.3)
        axes.legend()
    _save(figure, path)


def draw_rates(
    rates: Sequence[float],
    losses: Sequence[float],
    smoothed: Sequence[float],
    marks: dict[str, float],
    path: Path,
) -> None:
    """Draw the loss over a rising learning rate.

    Args:
        rates: Of each step, rising.
        losses: At each step.
        smoothed: Likewise.
        marks: Rates to be marked, by their names.
        path: The PNG file.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4.5), layout="constrained")
    axes = figure.subplots()
    axes.plot(rates, losses, color="lightgrey", label="loss")
    axes.plot(rates, smoothed, label="smoothed")
    for style, (name, rate) in zip((":", "--"), marks.items(), strict=False):
        axes.axvline(rate, color="gray", linestyle=style, label=f"{name}: {rate:.1e}")
    low, high = min(smoothed), max(smoothed[0], min(smoothed) * 1.1)
    axes.set_ylim(low - 0.2 * (high - low), high + 0.4 * (high - low))
    axes.set(xscale="log", xlabel="learning rate", ylabel="loss")
    axes.grid(alpha=0.3)
    axes.legend()
    _save(figure, path)


def draw_search(
    values: Sequence[float],
    measure: str,
    importances: Mapping[str, float],
    path: Path,
) -> None:
    """Draw the course of a search, and the effect of each setting.

    Args:
        values: One a trial in their order, NaN for those that have none.
        measure: "scaled_loss" or "accuracy".
        importances: Setting to share of the differences that it explains.
        path: The PNG file.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 4), layout="constrained")
    left, right = figure.subplots(1, 2)
    numbers = range(1, len(values) + 1)
    better = np.fmax if measure == "accuracy" else np.fmin
    so_far = better.accumulate(np.asarray(values, float))
    left.plot(numbers, values, "o", markersize=4, label="trial")
    left.step(numbers, so_far, where="post", label="best so far")
    left.set(xlabel="trial", title=f"{measure.replace('_', ' ')} on inner folds")
    left.xaxis.get_major_locator().set_params(integer=True)
    left.grid(alpha=0.3)
    left.legend()
    shares = sorted(importances.items(), key=lambda pair: pair[1])
    right.barh([name for name, _ in shares], [share for _, share in shares])
    right.set(xlabel="share of the differences", title="What mattered", xlim=(0, 1))
    if not shares:
        right.set(yticks=[])
        where = right.transAxes
        right.text(0.5, 0.5, "too few trials to tell", ha="center", transform=where)
    _save(figure, path)


def draw_confusion(matrix: np.ndarray, labels: Sequence[str], path: Path) -> None:
    """Draw the confusion matrix, colored by the share of the true class.

    Args:
        matrix: int [n, n], rows are the true classes.
        labels: The n class names.
        path: The PNG file.
    """
    from matplotlib.figure import Figure

    n = len(labels)
    side = min(4 + 0.45 * n, 24)
    figure = Figure(figsize=(side + 1, side), layout="constrained")
    axes = figure.subplots()
    shares = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    shown = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    figure.colorbar(shown, ax=axes, label="share of the true class")
    axes.set_xticks(
        range(n),
        _plain(labels),
        rotation=45 if n > 3 else 0,
        ha="right" if n > 3 else "center",
    )
    axes.set_yticks(range(n), _plain(labels))
    axes.set(xlabel="predicted", ylabel="true")
    if n <= 40:
        for row, column in np.ndindex(n, n):
            color = "white" if shares[row, column] > 0.5 else "black"
            axes.text(
                column,
                row,
                str(matrix[row, column]),
                ha="center",
                va="center",
                color=color,
            )
    _save(figure, path)


def draw_learning_curve(
    measured: Sequence[tuple[int, float, float, float]],
    sizes: np.ndarray,
    band: np.ndarray,
    path: Path,
) -> None:
    """Draw accuracy over the number of images, measured and extrapolated.

    Args:
        measured: Number of images, accuracy, low and high end of its interval.
        sizes: [n], numbers of images to draw the law at.
        band: float [3, n], low end, middle and high end of the law.
        path: The PNG file.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 5), layout="constrained")
    axes = figure.subplots()
    images, accuracy, low, high = np.transpose(measured)
    apart = np.maximum([accuracy - low, high - accuracy], 0)
    axes.errorbar(images, accuracy, apart, fmt="o", capsize=3, label="measured")
    axes.plot(sizes, band[1], color="tab:orange", label="power law")
    axes.fill_between(
        sizes, band[0], band[2], color="tab:orange", alpha=0.2, label="95 % interval"
    )
    axes.axvline(images[-1], color="gray", linestyle=":", label="all there is")
    axes.set_xscale("log", base=2)
    axes.xaxis.set_major_formatter("{x:.0f}")
    axes.set(xlabel="images to learn from", ylabel="accuracy of a linear probe")
    axes.grid(alpha=0.3)
    axes.legend(loc="lower right")
    _save(figure, path)


def draw_coverage(curve: pd.DataFrame, kept: float | None, path: Path) -> None:
    """Draw the accuracy of the most confident predictions against their share.

    Args:
        curve: From `coverage.coverage_table`.
        kept: The coverage at the rejection threshold; None without one.
        path: The PNG file.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6, 4.5), layout="constrained")
    axes = figure.subplots()
    axes.plot(curve["coverage"], curve["accuracy"], label="by confidence")
    low, high = curve["accuracy_low"], curve["accuracy_high"]
    axes.fill_between(curve["coverage"], low, high, alpha=0.15)
    if kept is not None:
        axes.axvline(kept, color="gray", linestyle=":", label="known, as set")
    axes.set(xlabel="share of the images kept", ylabel="accuracy among them")
    axes.set_xlim(0, 1.01)
    axes.grid(alpha=0.3)
    axes.legend(loc="lower left")
    _save(figure, path)


def draw_comparison(
    rows: Sequence[Mapping[str, Any]],
    marked: Mapping[str, int],
    costs: Mapping[str, str],
    path: Path,
) -> None:
    """Draw accuracy with its interval against each cost, and mark two rows.

    Args:
        rows: Measured networks, with backbone, size, cut, pooling, accuracy,
            accuracy_low, accuracy_high and the costs.
        marked: The indices of two rows by their labels, the best first.
        costs: Names of the costs, with the labels of their axes.
        path: The PNG file.
    """
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

    networks = [f"{row['backbone']}, {row['size']} px" for row in rows]
    poolings = [row["pooling"] for row in rows]
    colors = {name: f"C{i % 10}" for i, name in enumerate(dict.fromkeys(networks))}
    markers = dict(zip(dict.fromkeys(poolings), itertools.cycle(MARKERS), strict=False))
    rings = list(zip(marked.items(), ("red", "black"), (260, 140), strict=True))
    figure = Figure(figsize=(15, 5.5), layout="constrained")
    panels = figure.subplots(1, len(costs), sharey=True)
    for axes, (cost, label) in zip(panels, costs.items(), strict=True):
        for row, network in zip(rows, networks, strict=True):
            value = row["accuracy"]
            axes.errorbar(
                row[cost],
                value,
                yerr=[[value - row["accuracy_low"]], [row["accuracy_high"] - value]],
                fmt=markers[row["pooling"]],
                color=colors[network],
                alpha=0.7,
                capsize=2,
            )
        for (_, i), color, area in rings:
            place = rows[i][cost], rows[i]["accuracy"]
            axes.scatter(*place, s=area, facecolors="none", edgecolors=color, zorder=3)
        axes.set(xlabel=label, xscale="log")
        for axis in (axes.xaxis.set_major_formatter, axes.xaxis.set_minor_formatter):
            axis("{x:g}")
        axes.tick_params(axis="x", which="both", labelsize=8, rotation=45)
        axes.grid(alpha=0.3)
    panels[0].set_ylabel("accuracy out of fold, 95 % interval")
    styles: list[tuple[dict[str, Any], str]] = [
        ({"color": color, "marker": "o"}, name) for name, color in colors.items()
    ]
    styles += [({"color": "gray", "marker": m}, name) for name, m in markers.items()]
    styles += [
        ({"color": color, "marker": "o", "mfc": "none"}, f"{name}: {rows[i]['cut']}")
        for (name, i), color, _ in rings
    ]
    handles = [Line2D([], [], ls="", label=label, **style) for style, label in styles]
    figure.legend(handles=handles, loc="outside lower left", ncols=6)
    _save(figure, path)


def draw_gallery(images: np.ndarray, captions: Sequence[str], path: Path) -> None:
    """Draw images with captions; without images, a line of text.

    Args:
        images: uint8 [N, S, S, 3].
        captions: N texts of two lines.
        path: The PNG file.
    """
    from matplotlib import get_data_path

    columns, gap = min(6, max(1, len(images))), 14
    rows = max(1, -(-len(images) // columns))
    # The font that matplotlib brings has far more of the world's letters than Pillow's.
    font = ImageFont.truetype(Path(get_data_path(), "fonts/ttf/DejaVuSans.ttf"), 13)
    width, height = TILE + gap, TILE + 3 * gap + gap // 2
    sheet = Image.new("RGB", (columns * width + gap, rows * height + gap), "white")
    pen = ImageDraw.Draw(sheet)
    for i, (pixels, caption) in enumerate(zip(images, captions, strict=True)):
        left, top = gap + i % columns * width, gap + i // columns * height
        lines = [_shortened(line, font, TILE) for line in caption.split("\n")]
        pen.text((left, top), "\n".join(lines), "black", font, spacing=2)
        image = Image.fromarray(pixels).resize((TILE, TILE))
        sheet.paste(image, (left, top + height - TILE - gap))
    if not len(images):
        pen.text((gap, gap), "No errors", "black", font)
    _write(sheet, path)


def _shortened(text: str, font: ImageFont.FreeTypeFont, width: int) -> str:
    """Shorten a text to a width in pixels; dots stand for the part left out."""
    if font.getlength(text) <= width:
        return text
    while text and font.getlength(f"{text}…") > width:
        text = text[:-1]
    return f"{text}…"


def _plain(texts: Sequence[str]) -> list[str]:
    """Escape texts for matplotlib, so that dollars begin no mathematics."""
    return [text.replace("$", r"\$") for text in texts]


def _save(figure: Figure, path: Path) -> None:
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    figure.set_dpi(120)
    canvas = FigureCanvasAgg(figure)
    with warnings.catch_warnings():
        # Class names may be in scripts that the bundled font lacks: a box is drawn.
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        # `savefig` lays out and draws everything twice.
        canvas.draw()  # type: ignore[no-untyped-call]
    drawn = np.asarray(canvas.buffer_rgba())  # type: ignore[no-untyped-call]
    _write(Image.fromarray(drawn).convert("RGB"), path)


def _write(image: Image.Image, path: Path) -> None:
    draft = files.aside(path)
    image.save(draft, format="png", compress_level=3)
    draft.replace(path)
