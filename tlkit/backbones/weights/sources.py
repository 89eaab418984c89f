"""The origin of the pretrained weights of each backbone, and their place here.

Published files lie where Keras keeps them, under the same names, so that a download by
tlkit or by Keras serves both. Importing this module does not import Keras.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import h5py

from tlkit.backbones.spec import Backbone

NANO_FILE = Path(__file__).parents[1] / "nano.weights.h5"
HOST = "https://storage.googleapis.com/"
# Backbone, path on the host, and MD5 or SHA-256 (- where Keras states none). K/ and *
# stand for what most paths share. They are those of the installed Keras, by a test.
_PUBLISHED = """
Xception K/xception/xception*_notop.h5 b0042744bf5b25fce3cb969f33bebb97
VGG16 K/vgg16/vgg16*_notop.h5 6d6bbae143d832006294945121d1f1fc
VGG19 K/vgg19/vgg19*_notop.h5 253f8cb515780f3b799900260a226db6
ResNet50 K/resnet/resnet50*_notop.h5 4d473c1dd8becc155b73f8504c6f6626
ResNet101 K/resnet/resnet101*_notop.h5 88cf7a10940856eca736dc7b7e228a21
ResNet152 K/resnet/resnet152*_notop.h5 ee4c566cf9a93f14d82f913c2dc6dd0c
ResNet50V2 K/resnet/resnet50v2*_notop.h5 fac2f116257151a9d068a22e544a4917
ResNet101V2 K/resnet/resnet101v2*_notop.h5 c0ed64b8031c3730f411d2eb4eea35b5
ResNet152V2 K/resnet/resnet152v2*_notop.h5 ed17cf2e0169df9d443503ef94b23b33
InceptionV3 K/inception_v3/inception_v3*_notop.h5 bcbd6486424b2319ff4ef7d526e38f63
InceptionResNetV2 K/inception_resnet_v2/inception_resnet_v2*_notop.h5
  d19885ff4a710c122648d3b5c3b684e4
MobileNet K/mobilenet/mobilenet_1_0_224_tf_no_top.h5 -
MobileNetV2 K/mobilenet_v2/mobilenet_v2*_1.0_224_no_top.h5 -
MobileNetV3Small K/mobilenet_v3/weights_mobilenet_v3_small_224_1.0_float_no_top_v2.h5
  d3e8ec802a04aa4fc771ee12a9a9b836
MobileNetV3Large K/mobilenet_v3/weights_mobilenet_v3_large_224_1.0_float_no_top_v2.h5
  07fb09a5933dd0c8eaafa16978110389
DenseNet121 K/densenet/densenet121*_notop.h5 30ee3e1110167f948a6b9946edeeb738
DenseNet169 K/densenet/densenet169*_notop.h5 b8c4d4c20dd625c148057b9ff1c1176b
DenseNet201 K/densenet/densenet201*_notop.h5 c13680b51ded0fb44dff2d8f86ac8bb1
NASNetMobile K/nasnet/NASNet-mobile-no-top.h5 1ed92395b5b598bdda52abe5c0dbfd63
NASNetLarge K/nasnet/NASNet-large-no-top.h5 d81d89dc07e6e56530c4e77faddd61b5
EfficientNetB0 keras-applications/efficientnetb0_notop.h5
  50bc09e76180e00e4465e1a485ddc09d
EfficientNetB1 keras-applications/efficientnetb1_notop.h5
  74c4e6b3e1f6a1eea24c589628592432
EfficientNetB2 keras-applications/efficientnetb2_notop.h5
  111f8e2ac8aa800a7a99e3239f7bfb39
EfficientNetB3 keras-applications/efficientnetb3_notop.h5
  af6d107764bb5b1abb91932881670226
EfficientNetB4 keras-applications/efficientnetb4_notop.h5
  ebc24e6d6c33eaebbd558eafbeedf1ba
EfficientNetB5 keras-applications/efficientnetb5_notop.h5
  38879255a25d3c92d5e44e04ae6cec6f
EfficientNetB6 keras-applications/efficientnetb6_notop.h5
  9ecce42647a20130c1f39a5d4cb75743
EfficientNetB7 keras-applications/efficientnetb7_notop.h5
  cbcfe4450ddf6f3ad90b1b398090fe4a
EfficientNetV2B0 K/efficientnet_v2/efficientnetv2-b0_notop.h5
  893217f2bb855e2983157299931e43ff
EfficientNetV2B1 K/efficientnet_v2/efficientnetv2-b1_notop.h5
  0e80663031ca32d657f9caa404b6ec37
EfficientNetV2B2 K/efficientnet_v2/efficientnetv2-b2_notop.h5
  1dfe2e7a5d45b6632553a8961ea609eb
EfficientNetV2B3 K/efficientnet_v2/efficientnetv2-b3_notop.h5
  f6abf7b5849ac99a89b50dd3fd532856
EfficientNetV2S K/efficientnet_v2/efficientnetv2-s_notop.h5
  af0682fb74e8c54910f2d4393339c070
EfficientNetV2M K/efficientnet_v2/efficientnetv2-m_notop.h5
  1b8dc055df72dde80d614482840fe342
EfficientNetV2L K/efficientnet_v2/efficientnetv2-l_notop.h5
  b0b66b5c863aef5b46e8608fe1711615
ConvNeXtTiny K/convnext/convnext_tiny_notop.h5
  d547c096cabd03329d7be5562c5e14798aa39ed24b474157cef5e85ab9e49ef1
ConvNeXtSmall K/convnext/convnext_small_notop.h5
  6fc8009faa2f00c1c1dfce59feea9b0745eb260a7dd11bee65c8e20843da6eab
ConvNeXtBase K/convnext/convnext_base_notop.h5
  40a20c5548a5e9202f69735ecc06c990e6b7c9d2de39f0361e27baeb24cb7c45
ConvNeXtLarge K/convnext/convnext_large_notop.h5
  96f02b6f0753d4f543261bc9d09bed650f24dd6bc02ddde3066135b63d23a1cd
ConvNeXtXLarge K/convnext/convnext_xlarge_notop.h5
  de3f8a54174130e0cecdc71583354753d557fcf1f4487331558e2a16ba0cfe05
"""


@dataclass(frozen=True)
class Published:
    """A published weights file.

    `file` is its name in the folder `models` of the Keras cache, `path` its place on
    the host, `checksum` its MD5 or SHA-256 in hex, "" if Keras states none.
    """

    file: str
    path: str
    checksum: str

    @property
    def url(self) -> str:
        """Address of the download."""
        return HOST + self.path


def _parse(path: str, checksum: str) -> Published:
    path = path.replace("K/", "tensorflow/keras-applications/")
    path = path.replace("*", "_weights_tf_dim_ordering_tf_kernels")
    file = path.rpartition("/")[2]
    if file.startswith("NASNet"):
        file = file.lower().replace("-", "_")
    return Published(file, path, checksum.strip("-"))


_words = _PUBLISHED.split()
PUBLISHED = {
    name: _parse(path, checksum)
    for name, path, checksum in zip(*(_words[i::3] for i in range(3)), strict=True)
}


@dataclass(frozen=True)
class Origin:
    """The origin of the weights of a backbone.

    Attributes:
        backbone: Row of the table.
        file: Their place on this machine, also while they are missing; None for a
            backbone without pretrained weights.
        published: The published file; None if there is none.
    """

    backbone: Backbone
    file: Path | None
    published: Published | None

    @property
    def here(self) -> bool:
        """True if they are on this machine, and not cut short."""
        return self._exists and not self.damaged

    @property
    def damaged(self) -> bool:
        """True if their place holds a folder, or a file that is no HDF5 or cut short.

        Other damage is found when they are used or downloaded.
        """
        if self.file is None or not self._exists:
            return False
        try:
            h5py.File(self.file, "r").close()
        except OSError:
            return True
        return False

    @property
    def _exists(self) -> bool:
        return self.file is not None and self.file.exists()

    @property
    def bytes(self) -> int:
        """Size of the file, estimated from the parameters while it is missing."""
        if self.file and self.here:
            return self.file.stat().st_size
        return 4 * self.backbone.parameters if self.published else 0


def cache_folder() -> Path:
    """Return where Keras keeps weights.

    Returns:
        KERAS_HOME/models or ~/.keras/models.
    """
    home = os.environ.get("KERAS_HOME")
    return (Path(home) if home else Path.home() / ".keras") / "models"


def origin(backbone: Backbone) -> Origin:
    """Return the origin of the pretrained weights of a backbone.

    Args:
        backbone: Row of the table.

    Returns:
        Without a file for a network that is trained from scratch.
    """
    if backbone.source == "nano":
        return Origin(backbone, NANO_FILE, None)
    published = PUBLISHED.get(backbone.name)
    file = cache_folder() / published.file if published else None
    return Origin(backbone, file, published)
