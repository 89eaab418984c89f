"""The description of a backbone: pixels, sizes, cuts, weights, and how it is built."""

from __future__ import annotations

import hashlib
import re
import shlex
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from tlkit.errors import UsageError

if TYPE_CHECKING:
    import keras

    Builder = Callable[["Backbone", keras.KerasTensor], keras.Model]

# Layers that tlkit adds. Layers of these names in a model that it has saved are renamed
# when that model becomes a custom backbone.
IMAGE, PREPROCESS, CAST, OUTPUT = "image", "preprocess", "cast_pixels", "probabilities"
RESERVED = re.compile(rf"{IMAGE}|{PREPROCESS}|{CAST}|{OUTPUT}|head\d+_.*")
# Words for weights; all else is a file. OWN are those that come with the backbone.
IMAGENET, RANDOM, OWN = "imagenet", "none", "own"
# How the name of a custom backbone ends or begins.
KERAS_FILE, HUB = ".keras", "hub:"
HUB_PACKAGE = "keras_hub"
HUB_INSTALL = "pip install keras-hub==0.29.1 tensorflow-text==2.21.1"


@dataclass(frozen=True)
class Preprocessing:
    """The scaling of RGB pixels 0..255 for a backbone: x * scale + offset by channel.

    `order` is the channel order that the backbone expects; scale and offset follow it.
    """

    name: str
    order: Literal["rgb", "bgr"]
    scale: tuple[float, float, float]
    offset: tuple[float, float, float]


# BGR minus the ImageNet mean.
CAFFE = Preprocessing("caffe", "bgr", (1.0, 1.0, 1.0), (-103.939, -116.779, -123.68))
# -1..1
TF = Preprocessing("tf", "rgb", (1 / 127.5,) * 3, (-1.0, -1.0, -1.0))
# ImageNet mean and standard deviation.
TORCH = Preprocessing(
    "torch",
    "rgb",
    (1 / (255 * 0.229), 1 / (255 * 0.224), 1 / (255 * 0.225)),
    (-0.485 / 0.229, -0.456 / 0.224, -0.406 / 0.225),
)
# 0..255: the backbone scales its pixels itself.
NONE = Preprocessing("none", "rgb", (1.0, 1.0, 1.0), (0.0, 0.0, 0.0))
PREPROCESSINGS = {one.name: one for one in (NONE, TF, CAFFE, TORCH)}


@dataclass(frozen=True)
class Backbone:
    """A network without its classification top.

    Attributes:
        name: As `keras.applications` spells it; a path or preset if custom.
        aliases: Other names for it, lower case.
        preprocessing: Scaling of the pixels that it expects.
        native: Image size it was trained at, in pixels.
        min_size: Smallest image size it accepts, in pixels.
        cuts: Recommended layers to cut at, from the input up; the last is its output.
        parameters: Number of weights without the top.
        source: Origin of its graph.
        build: Builds the graph on a tensor of preprocessed pixels.
        read_weights: Reads the weights of a custom backbone, per layer of the model
            that `build` made; None for those of the table.
        fixed: Whether it accepts its native size only.
        checksum: SHA-256 of the graph, for a custom backbone.
        scaler: Its layer that scales the pixels, for a custom backbone; else "".
    """

    name: str
    aliases: tuple[str, ...]
    preprocessing: Preprocessing
    native: int
    min_size: int
    cuts: tuple[str, ...]
    parameters: int
    source: Literal["applications", "scratch", "nano", "custom"]
    build: Builder = field(repr=False)
    read_weights: Callable[[Backbone, keras.Model], list[Any]] | None = field(
        default=None, repr=False
    )
    fixed: bool = False
    checksum: str = ""
    scaler: str = ""

    @property
    def custom(self) -> bool:
        """True for the user's own: a .keras file or a KerasHub preset."""
        return self.source == "custom"

    @property
    def identity(self) -> str:
        """A name that changes with the graph or preprocessing of a custom backbone."""
        if not self.custom:
            return self.name
        content = f"{self.checksum} {self.preprocessing}"
        return f"{self.name} {hashlib.sha256(content.encode()).hexdigest()[:16]}"

    @property
    def default_weights(self) -> str:
        """OWN for a backbone that brings its weights, else IMAGENET."""
        return OWN if self.source in ("nano", "custom") else IMAGENET

    @property
    def megabytes(self) -> float:
        """Size of the float32 weights in MB (1e6 bytes)."""
        return 4 * self.parameters / 1e6

    def check_size(self, size: int) -> None:
        """Refuse an image size that the backbone does not accept.

        Args:
            size: Image size in pixels.

        Raises:
            UsageError: The size is too small, or another than the only one.
        """
        if self.fixed and size != self.native:
            raise UsageError(
                f"{self.name} takes images of {self.native} px only, got size={size}.",
                hint="Remove --size.",
            )
        if size < self.min_size:
            raise UsageError(
                f"{self.name} takes images of at least {self.min_size} px, "
                f"got size={size}.",
                hint=f"Use a size of {self.min_size} or more; "
                f"it was trained at {self.native}.",
            )


def is_custom(name: str) -> bool:
    """Return whether a name is one of a custom backbone, existing or not.

    Args:
        name: As typed.

    Returns:
        True for PATH.keras and hub:PRESET.
    """
    return name.startswith(HUB) or name.endswith(KERAS_FILE)


def show_command(name: str) -> str:
    """Return the command that lists the layers of a backbone."""
    return shlex.join(("tlkit", "backbones", "show", name))


def short_name(name: str) -> str:
    """Return what a folder can be called after a backbone.

    Args:
        name: Of any backbone.

    Returns:
        Lower case, without parent folders.

    Example:
        >>> short_name("runs/first/model.keras"), short_name("VGG16")
        ('first', 'vgg16')
    """
    path = Path(name.removeprefix(HUB))
    if name.endswith(KERAS_FILE):
        path = path.parent if path.stem == "model" else path.with_suffix("")
    return path.name.lower()
