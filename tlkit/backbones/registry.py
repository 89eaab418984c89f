"""Every backbone there is, as data: sizes, preprocessing, good cuts.

A name typed by a person goes in, a Backbone comes out. Importing this module does
not import Keras, so that lists and name checks are instant; only the row of a network
of the user's own takes it.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tlkit.errors import UsageError, unknown_name


@dataclass(frozen=True)
class Preprocessing:
    """How RGB pixels 0..255 become what the body expects: x * scale + offset.

    Args:
        name: "caffe" (BGR minus the ImageNet mean), "tf" (-1..1), "torch" (ImageNet
            mean and standard deviation) or "none" (the body does it itself).
        order: Channel order that the body expects; scale and offset follow it.
        scale: One factor a channel.
        offset: One summand a channel, added after the factor.
    """

    name: str
    order: Literal["rgb", "bgr"]
    scale: tuple[float, float, float]
    offset: tuple[float, float, float]


CAFFE = Preprocessing("caffe", "bgr", (1.0, 1.0, 1.0), (-103.939, -116.779, -123.68))
TF = Preprocessing("tf", "rgb", (1 / 127.5,) * 3, (-1.0, -1.0, -1.0))
TORCH = Preprocessing(
    "torch",
    "rgb",
    (1 / (255 * 0.229), 1 / (255 * 0.224), 1 / (255 * 0.225)),
    (-0.485 / 0.229, -0.456 / 0.224, -0.406 / 0.225),
)
NONE = Preprocessing("none", "rgb", (1.0, 1.0, 1.0), (0.0, 0.0, 0.0))
NAMED = {one.name: one for one in (NONE, TF, CAFFE, TORCH)}


APPLICATIONS = "tlkit.backbones.applications"
SCRATCH = "tlkit.backbones.scratch"
NANO = "tlkit.backbones.nano"
OWN = "tlkit.backbones.custom"
# Words for weights; all else is a file. BROUGHT are those that come with the network.
IMAGENET, RANDOM, BROUGHT = "imagenet", "none", "own"
# What names of networks of the user's own end or begin with.
KERAS_FILE, HUB = ".keras", "hub:"
HUB_PACKAGE, HUB_INSTALL = "keras_hub", 'pip install "keras-hub>=0.22"'


@dataclass(frozen=True)
class Backbone:
    """A network body without its classification top.

    Args:
        name: As `keras.applications` spells it; for one of the user's own what `find`
            takes.
        aliases: What a person may type instead, lower case.
        preprocessing: What the body expects its pixels to be.
        native: Input side it was made for, in pixels.
        least: Least input side it accepts, in pixels.
        cuts: Layers worth cutting at, from the input up; the last is the whole body.
        channels: Feature depth at each cut.
        parameters: Of the whole body, without the top.
        builder: Module with a function `build(backbone, pixels)` that makes the body.
        fixed: Whether it takes its native size only.
        checksum: SHA-256 of the graph, of a network of the user's own.
        scaler: Its layer that scales the pixels, of a network of the user's own.
    """

    name: str
    aliases: tuple[str, ...]
    preprocessing: Preprocessing
    native: int
    least: int
    cuts: tuple[str, ...]
    channels: tuple[int, ...]
    parameters: int
    builder: str = APPLICATIONS
    fixed: bool = False
    checksum: str = ""
    scaler: str = ""

    @property
    def identity(self) -> str:
        """What stands for its graph and preprocessing, if they stay what they are."""
        if self.builder != OWN:
            return self.name
        told = f"{self.checksum} {self.preprocessing}"
        return f"{self.name} {hashlib.sha256(told.encode()).hexdigest()[:16]}"

    @property
    def usual_weights(self) -> str:
        """Those that it is used with if nobody says: its own, if it brings some."""
        return BROUGHT if self.builder in (NANO, OWN) else IMAGENET

    @property
    def megabytes(self) -> float:
        """Size of the float32 weights in MB (1e6 bytes)."""
        return 4 * self.parameters / 1e6


def _row(
    name: str,
    preprocessing: Preprocessing,
    native: int,
    parameters: int,
    cuts: str,
    aliases: str = "",
    least: int = 32,
    builder: str = APPLICATIONS,
) -> Backbone:
    """Returns a row from its compact form; cuts are "layer:channels ..."."""
    pairs = [cut.split(":") for cut in cuts.split()]
    return Backbone(
        name=name,
        aliases=tuple(aliases.split()),
        preprocessing=preprocessing,
        native=native,
        least=least,
        cuts=tuple(layer for layer, _ in pairs),
        channels=tuple(int(channels) for _, channels in pairs),
        parameters=parameters,
        builder=builder,
    )


# Layers without a name of their own (activation_17, add_5) are numbered as in a process
# that has built nothing else; tlkit.backbones.graph keeps them so.
_TABLE = (
    # Made to be trained from scratch, the cheapest to compute (at one size) first.
    _row("LeNet5", TF, 32, 50_992, "s2:6 s4:16 c5:120", "lenet", builder=SCRATCH),
    _row(
        "SqueezeNet",
        TF,
        224,
        722_496,
        "fire3:128 fire5:256 fire7:384 fire9:512",
        "squeezenet_1_1",
        builder=SCRATCH,
    ),
    _row(
        "SmallCNN",
        TF,
        64,
        163_376,
        "block1:24 block2:48 block3:96 block4:128",
        "small small_cnn",
        builder=SCRATCH,
    ),
    _row(
        "AlexNetSmall",
        TF,
        64,
        932_032,
        "pool1:48 pool2:128 pool5:128",
        "alexnet",
        builder=SCRATCH,
    ),
    _row(
        "ResNet20",
        TF,
        32,
        270_448,
        "stage1_block3_out:16 stage2_block3_out:32 stage3_block3_out:64",
        "resnet_20",
        builder=SCRATCH,
    ),
    _row(
        "DenseNet40",
        TF,
        32,
        179_880,
        "transition1_relu:96 transition2_relu:120 final_relu:132",
        "densenet_40",
        builder=SCRATCH,
    ),
    _row(
        "Nano",
        TF,
        96,
        701_472,
        "stage1_block2:48 stage2_block3:128 stage3:384 stage4:896",
        builder=NANO,
    ),
    _row(
        "Xception",
        TF,
        299,
        20_861_480,
        "add_1:256 add_10:728 add_11:1024 block14_sepconv2_act:2048",
        least=71,
    ),
    _row(
        "VGG16",
        CAFFE,
        224,
        14_714_688,
        "block2_pool:128 block3_pool:256 block4_pool:512 block5_pool:512",
        "vgg vgg_16",
    ),
    _row(
        "VGG19",
        CAFFE,
        224,
        20_024_384,
        "block2_pool:128 block3_pool:256 block4_pool:512 block5_pool:512",
        "vgg_19",
    ),
    _row(
        "ResNet50",
        CAFFE,
        224,
        23_587_712,
        "conv2_block3_out:256 conv3_block4_out:512 conv4_block6_out:1024 "
        "conv5_block3_out:2048",
        "resnet resnet_50",
    ),
    _row(
        "ResNet101",
        CAFFE,
        224,
        42_658_176,
        "conv2_block3_out:256 conv3_block4_out:512 conv4_block23_out:1024 "
        "conv5_block3_out:2048",
        "resnet_101",
    ),
    _row(
        "ResNet152",
        CAFFE,
        224,
        58_370_944,
        "conv2_block3_out:256 conv3_block8_out:512 conv4_block36_out:1024 "
        "conv5_block3_out:2048",
        "resnet_152",
    ),
    _row(
        "ResNet50V2",
        TF,
        224,
        23_564_800,
        "conv3_block1_preact_relu:256 conv4_block1_preact_relu:512 "
        "conv5_block1_preact_relu:1024 post_relu:2048",
        "resnetv2 resnet_v2 resnet_50_v2",
    ),
    _row(
        "ResNet101V2",
        TF,
        224,
        42_626_560,
        "conv3_block1_preact_relu:256 conv4_block1_preact_relu:512 "
        "conv5_block1_preact_relu:1024 post_relu:2048",
        "resnet_101_v2",
    ),
    _row(
        "ResNet152V2",
        TF,
        224,
        58_331_648,
        "conv3_block1_preact_relu:256 conv4_block1_preact_relu:512 "
        "conv5_block1_preact_relu:1024 post_relu:2048",
        "resnet_152_v2",
    ),
    _row(
        "InceptionV3",
        TF,
        299,
        21_802_784,
        "mixed2:288 mixed3:768 mixed4:768 mixed5:768 mixed6:768 mixed7:768 "
        "mixed8:1280 mixed9:2048 mixed10:2048",
        "inception inception_v3",
        least=75,
    ),
    _row(
        "InceptionResNetV2",
        TF,
        299,
        54_336_736,
        "block35_10_ac:320 mixed_6a:1088 block17_20_ac:1088 mixed_7a:2080 "
        "conv_7b_ac:1536",
        "inceptionresnet inception_resnet inception_resnet_v2",
        least=75,
    ),
    _row(
        "MobileNet",
        TF,
        224,
        3_228_864,
        "conv_pw_3_relu:128 conv_pw_5_relu:256 conv_pw_11_relu:512 "
        "conv_pw_13_relu:1024",
        "mobilenetv1 mobilenet_v1",
    ),
    _row(
        "MobileNetV2",
        TF,
        224,
        2_257_984,
        "block_3_expand_relu:144 block_6_expand_relu:192 block_13_expand_relu:576 "
        "out_relu:1280",
        "mobilenet_v2",
    ),
    _row(
        "MobileNetV3Small",
        NONE,
        224,
        939_120,
        "expanded_conv_2_add:24 expanded_conv_7_add:48 expanded_conv_10_add:96 "
        "activation_17:576",
        "mobilenet_v3_small",
    ),
    _row(
        "MobileNetV3Large",
        NONE,
        224,
        2_996_352,
        "expanded_conv_5_add:40 expanded_conv_11_add:112 expanded_conv_14_add:160 "
        "activation_19:960",
        "mobilenetv3 mobilenet_v3 mobilenet_v3_large",
    ),
    _row(
        "DenseNet121",
        TORCH,
        224,
        7_037_504,
        "pool2_relu:256 pool3_relu:512 pool4_relu:1024 relu:1024",
        "densenet densenet_121",
    ),
    _row(
        "DenseNet169",
        TORCH,
        224,
        12_642_880,
        "pool2_relu:256 pool3_relu:512 pool4_relu:1280 relu:1664",
        "densenet_169",
    ),
    _row(
        "DenseNet201",
        TORCH,
        224,
        18_321_984,
        "pool2_relu:256 pool3_relu:512 pool4_relu:1792 relu:1920",
        "densenet_201",
    ),
    _row(
        "NASNetMobile",
        TF,
        224,
        4_269_716,
        "stem_conv1:32 normal_concat_12:1056 activation_187:1056",
        "nasnet nasnet_mobile",
    ),
    _row(
        "NASNetLarge",
        TF,
        331,
        84_916_818,
        "stem_conv1:96 normal_concat_18:4032 activation_259:4032",
        "nasnet_large",
    ),
    _row(
        "EfficientNetB0",
        NONE,
        224,
        4_049_571,
        "block4a_expand_activation:240 block6a_expand_activation:672 "
        "block7a_expand_activation:1152 top_activation:1280",
        "efficientnet efficientnet_b0",
    ),
    _row(
        "EfficientNetB1",
        NONE,
        240,
        6_575_239,
        "block4a_expand_activation:240 block6a_expand_activation:672 "
        "block7a_expand_activation:1152 top_activation:1280",
        "efficientnet_b1",
    ),
    _row(
        "EfficientNetB2",
        NONE,
        260,
        7_768_569,
        "block4a_expand_activation:288 block6a_expand_activation:720 "
        "block7a_expand_activation:1248 top_activation:1408",
        "efficientnet_b2",
    ),
    _row(
        "EfficientNetB3",
        NONE,
        300,
        10_783_535,
        "block4a_expand_activation:288 block6a_expand_activation:816 "
        "block7a_expand_activation:1392 top_activation:1536",
        "efficientnet_b3",
    ),
    _row(
        "EfficientNetB4",
        NONE,
        380,
        17_673_823,
        "block4a_expand_activation:336 block6a_expand_activation:960 "
        "block7a_expand_activation:1632 top_activation:1792",
        "efficientnet_b4",
    ),
    _row(
        "EfficientNetB5",
        NONE,
        456,
        28_513_527,
        "block4a_expand_activation:384 block6a_expand_activation:1056 "
        "block7a_expand_activation:1824 top_activation:2048",
        "efficientnet_b5",
    ),
    _row(
        "EfficientNetB6",
        NONE,
        528,
        40_960_143,
        "block4a_expand_activation:432 block6a_expand_activation:1200 "
        "block7a_expand_activation:2064 top_activation:2304",
        "efficientnet_b6",
    ),
    _row(
        "EfficientNetB7",
        NONE,
        600,
        64_097_687,
        "block4a_expand_activation:480 block6a_expand_activation:1344 "
        "block7a_expand_activation:2304 top_activation:2560",
        "efficientnet_b7",
    ),
    _row(
        "EfficientNetV2B0",
        NONE,
        224,
        5_919_312,
        "block4a_expand_activation:192 block6a_expand_activation:672 "
        "block6h_add:192 top_activation:1280",
        "efficientnetv2 efficientnet_v2 efficientnet_v2_b0",
    ),
    _row(
        "EfficientNetV2B1",
        NONE,
        240,
        6_931_124,
        "block4a_expand_activation:192 block6a_expand_activation:672 "
        "block6i_add:192 top_activation:1280",
        "efficientnet_v2_b1",
    ),
    _row(
        "EfficientNetV2B2",
        NONE,
        260,
        8_769_374,
        "block4a_expand_activation:224 block6a_expand_activation:720 "
        "block6j_add:208 top_activation:1408",
        "efficientnet_v2_b2",
    ),
    _row(
        "EfficientNetV2B3",
        NONE,
        300,
        12_930_622,
        "block4a_expand_activation:224 block6a_expand_activation:816 "
        "block6l_add:232 top_activation:1536",
        "efficientnet_v2_b3",
    ),
    _row(
        "EfficientNetV2S",
        NONE,
        384,
        20_331_360,
        "block4a_expand_activation:256 block6a_expand_activation:960 "
        "block6o_add:256 top_activation:1280",
        "efficientnet_v2_s",
    ),
    _row(
        "EfficientNetV2M",
        NONE,
        480,
        53_150_388,
        "block4a_expand_activation:320 block6a_expand_activation:1056 "
        "block7a_expand_activation:1824 top_activation:1280",
        "efficientnet_v2_m",
    ),
    _row(
        "EfficientNetV2L",
        NONE,
        480,
        117_746_848,
        "block4a_expand_activation:384 block6a_expand_activation:1344 "
        "block7a_expand_activation:2304 top_activation:1280",
        "efficientnet_v2_l",
    ),
    _row(
        "ConvNeXtTiny",
        NONE,
        224,
        27_820_128,
        "add_2:96 add_5:192 add_14:384 layer_normalization:768",
        "convnext convnext_tiny",
    ),
    _row(
        "ConvNeXtSmall",
        NONE,
        224,
        49_454_688,
        "add_2:96 add_5:192 add_32:384 layer_normalization:768",
        "convnext_small",
    ),
    _row(
        "ConvNeXtBase",
        NONE,
        224,
        87_566_464,
        "add_2:128 add_5:256 add_32:512 layer_normalization:1024",
        "convnext_base",
    ),
    _row(
        "ConvNeXtLarge",
        NONE,
        224,
        196_230_336,
        "add_2:192 add_5:384 add_32:768 layer_normalization:1536",
        "convnext_large",
    ),
    _row(
        "ConvNeXtXLarge",
        NONE,
        224,
        348_147_968,
        "add_2:256 add_5:512 add_32:1024 layer_normalization:2048",
        "convnext_xlarge",
    ),
)

BACKBONES: dict[str, Backbone] = {row.name: row for row in _TABLE}
LISTED_BY = "tlkit backbones"


def from_scratch() -> list[Backbone]:
    """The networks without published weights, cheapest first (at one size).

    Returns:
        Rows of the table.
    """
    return [row for row in _TABLE if row.builder == SCRATCH]


def _key(name: str) -> str:
    """Returns a name without what people vary: case, dashes, underscores, spaces."""
    return "".join(letter for letter in name.lower() if letter.isalnum())


_BY_KEY = {_key(name): row for row in _TABLE for name in (*row.aliases, row.name)}


def is_own(name: str) -> bool:
    """Whether a name stands for a network of the user's own, be it there or not."""
    return name.startswith(HUB) or name.endswith(KERAS_FILE)


def short_name(name: str) -> str:
    """What a folder can be called after a backbone.

    Args:
        name: Of a backbone, a file or preset among them.

    Returns:
        Lower case, without the folders before it.

    Example:
        >>> short_name("runs/first/model.keras"), short_name("VGG16")
        ('first', 'vgg16')
    """
    path = Path(name.removeprefix(HUB))
    if name.endswith(KERAS_FILE):
        path = path.parent if path.stem == "model" else path.with_suffix("")
    return path.name.lower()


def find(
    name: str, *, preprocessing: str | None = None, size: int | None = None
) -> Backbone:
    """The backbone of a canonical name or alias, or of the user's own.

    Args:
        name: As typed; case, dashes and underscores do not matter. A path that ends in
            .keras or a KerasHub preset behind "hub:" is a network of the user's own,
            which takes Keras to look at.
        preprocessing: For the user's own, one of NAMED; None if the network tells.
        size: For the user's own, the input side in pixels; None if the network tells.

    Returns:
        The table row, or one made for the user's own.

    Raises:
        UsageError: If there is no such backbone; the hint names the nearest. Or if it
            is the user's own and cannot be used, or something has to be said.

    Example:
        >>> find("inception").name
        'InceptionV3'
    """
    if is_own(name):
        from tlkit.backbones import custom

        return custom.find(name, preprocessing=preprocessing, size=size)
    found = _BY_KEY.get(_key(name))
    if found is None:
        error = unknown_name("backbone", name, BACKBONES, listed_by=LISTED_BY)
        if Path(name).suffix in {".h5", ".hdf5", ".tflite", ".pb", ".onnx", ".pt"}:
            raise UsageError(
                error.message,
                hint="A file has to be a .keras one, as model.save writes it.",
            )
        raise error
    if preprocessing is not None:
        raise UsageError(
            f"--preprocessing {preprocessing} goes with a network of your own; "
            f"{found.name} has its own preprocessing ({found.preprocessing.name})."
        )
    return found


def check_size(backbone: Backbone, size: int) -> None:
    """Refuse a size that a backbone does not take.

    Args:
        backbone: Any row.
        size: Input side in pixels.

    Raises:
        UsageError: It is too small, or not the only one.
    """
    if backbone.fixed and size != backbone.native:
        raise UsageError(
            f"{backbone.name} takes images of {backbone.native} px only, size={size} "
            "was asked for.",
            hint="Leave --size away.",
        )
    if size < backbone.least:
        raise UsageError(
            f"{backbone.name} takes images of at least {backbone.least} px, "
            f"size={size} was asked for.",
            hint=f"Use a size of {backbone.least} or more; "
            f"it was trained at {backbone.native}.",
        )
