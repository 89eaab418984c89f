"""The table of backbones.

Importing it does not import Keras, so that lists and name checks are instant.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from tlkit.backbones.spec import CAFFE, NONE, TF, TORCH, Backbone, Preprocessing

if TYPE_CHECKING:
    import keras

LISTED_BY = "tlkit backbones"


def build_listed(backbone: Backbone, pixels: keras.KerasTensor) -> keras.Model:
    """Build a backbone of the table, with random weights."""
    import keras

    from tlkit.backbones.graph import renumber
    from tlkit.backbones.nano import nano
    from tlkit.backbones.scratch import NETWORKS

    if backbone.source == "applications":
        model = getattr(keras.applications, backbone.name)(
            include_top=False, weights=None, input_tensor=pixels
        )
    else:
        layers = nano if backbone.source == "nano" else NETWORKS[backbone.name]
        model = keras.Model(keras.utils.get_source_inputs(pixels), layers(pixels))
    renumber(model)
    return model


def _row(
    name: str,
    preprocessing: Preprocessing,
    native: int,
    parameters: int,
    cuts: str,
    aliases: str = "",
    *,
    min_size: int = 32,
    source: Literal["applications", "scratch", "nano"] = "applications",
) -> Backbone:
    return Backbone(
        name=name,
        aliases=tuple(aliases.split()),
        preprocessing=preprocessing,
        native=native,
        min_size=min_size,
        cuts=tuple(cuts.split()),
        parameters=parameters,
        source=source,
        build=build_listed,
    )


# The cuts of families that name their layers alike.
_VGG = "block2_pool block3_pool block4_pool block5_pool"
_RESNET_V2 = (
    "conv3_block1_preact_relu conv4_block1_preact_relu "
    "conv5_block1_preact_relu post_relu"
)
_DENSENET = "pool2_relu pool3_relu pool4_relu relu"
_EFFICIENTNET = (
    "block4a_expand_activation block6a_expand_activation "
    "block7a_expand_activation top_activation"
)
_CONVNEXT = "add_2 add_5 add_32 layer_normalization"

# Layers without a name of their own (activation_17, add_5) are numbered as in a process
# that has built nothing else; `graph.renumber` keeps them so.
# fmt: off
_TABLE = (
    # Made to be trained from scratch, the cheapest to compute (at one size) first.
    _row("LeNet5", TF, 32, 50_992, "s2 s4 c5", "lenet", source="scratch"),
    _row("SqueezeNet", TF, 224, 722_496, "fire3 fire5 fire7 fire9", "squeezenet_1_1",
         source="scratch"),
    _row("SmallCNN", TF, 64, 163_376, "block1 block2 block3 block4", "small small_cnn",
         source="scratch"),
    _row("AlexNetSmall", TF, 64, 932_032, "pool1 pool2 pool5", "alexnet",
         source="scratch"),
    _row("ResNet20", TF, 32, 270_448,
         "stage1_block3_out stage2_block3_out stage3_block3_out", "resnet_20",
         source="scratch"),
    _row("DenseNet40", TF, 32, 179_880, "transition1_relu transition2_relu final_relu",
         "densenet_40", source="scratch"),
    _row("Nano", TF, 96, 701_472, "stage1_block2 stage2_block3 stage3 stage4",
         source="nano"),
    _row("Xception", TF, 299, 20_861_480, "add_1 add_10 add_11 block14_sepconv2_act",
         min_size=71),
    _row("VGG16", CAFFE, 224, 14_714_688, _VGG, "vgg vgg_16"),
    _row("VGG19", CAFFE, 224, 20_024_384, _VGG, "vgg_19"),
    _row("ResNet50", CAFFE, 224, 23_587_712,
         "conv2_block3_out conv3_block4_out conv4_block6_out conv5_block3_out",
         "resnet resnet_50"),
    _row("ResNet101", CAFFE, 224, 42_658_176,
         "conv2_block3_out conv3_block4_out conv4_block23_out conv5_block3_out",
         "resnet_101"),
    _row("ResNet152", CAFFE, 224, 58_370_944,
         "conv2_block3_out conv3_block8_out conv4_block36_out conv5_block3_out",
         "resnet_152"),
    _row("ResNet50V2", TF, 224, 23_564_800, _RESNET_V2,
         "resnetv2 resnet_v2 resnet_50_v2"),
    _row("ResNet101V2", TF, 224, 42_626_560, _RESNET_V2, "resnet_101_v2"),
    _row("ResNet152V2", TF, 224, 58_331_648, _RESNET_V2, "resnet_152_v2"),
    _row("InceptionV3", TF, 299, 21_802_784,
         "mixed2 mixed3 mixed4 mixed5 mixed6 mixed7 mixed8 mixed9 mixed10",
         "inception inception_v3", min_size=75),
    _row("InceptionResNetV2", TF, 299, 54_336_736,
         "block35_10_ac mixed_6a block17_20_ac mixed_7a conv_7b_ac",
         "inceptionresnet inception_resnet inception_resnet_v2", min_size=75),
    _row("MobileNet", TF, 224, 3_228_864,
         "conv_pw_3_relu conv_pw_5_relu conv_pw_11_relu conv_pw_13_relu",
         "mobilenetv1 mobilenet_v1"),
    _row("MobileNetV2", TF, 224, 2_257_984,
         "block_3_expand_relu block_6_expand_relu block_13_expand_relu out_relu",
         "mobilenet_v2"),
    _row("MobileNetV3Small", NONE, 224, 939_120,
         "expanded_conv_2_add expanded_conv_7_add expanded_conv_10_add activation_17",
         "mobilenet_v3_small"),
    _row("MobileNetV3Large", NONE, 224, 2_996_352,
         "expanded_conv_5_add expanded_conv_11_add expanded_conv_14_add activation_19",
         "mobilenetv3 mobilenet_v3 mobilenet_v3_large"),
    _row("DenseNet121", TORCH, 224, 7_037_504, _DENSENET, "densenet densenet_121"),
    _row("DenseNet169", TORCH, 224, 12_642_880, _DENSENET, "densenet_169"),
    _row("DenseNet201", TORCH, 224, 18_321_984, _DENSENET, "densenet_201"),
    _row("NASNetMobile", TF, 224, 4_269_716,
         "stem_conv1 normal_concat_12 activation_187", "nasnet nasnet_mobile"),
    _row("NASNetLarge", TF, 331, 84_916_818,
         "stem_conv1 normal_concat_18 activation_259", "nasnet_large"),
    _row("EfficientNetB0", NONE, 224, 4_049_571, _EFFICIENTNET,
         "efficientnet efficientnet_b0"),
    _row("EfficientNetB1", NONE, 240, 6_575_239, _EFFICIENTNET, "efficientnet_b1"),
    _row("EfficientNetB2", NONE, 260, 7_768_569, _EFFICIENTNET, "efficientnet_b2"),
    _row("EfficientNetB3", NONE, 300, 10_783_535, _EFFICIENTNET, "efficientnet_b3"),
    _row("EfficientNetB4", NONE, 380, 17_673_823, _EFFICIENTNET, "efficientnet_b4"),
    _row("EfficientNetB5", NONE, 456, 28_513_527, _EFFICIENTNET, "efficientnet_b5"),
    _row("EfficientNetB6", NONE, 528, 40_960_143, _EFFICIENTNET, "efficientnet_b6"),
    _row("EfficientNetB7", NONE, 600, 64_097_687, _EFFICIENTNET, "efficientnet_b7"),
    _row("EfficientNetV2B0", NONE, 224, 5_919_312,
         "block4a_expand_activation block6a_expand_activation block6h_add "
         "top_activation", "efficientnetv2 efficientnet_v2 efficientnet_v2_b0"),
    _row("EfficientNetV2B1", NONE, 240, 6_931_124,
         "block4a_expand_activation block6a_expand_activation block6i_add "
         "top_activation", "efficientnet_v2_b1"),
    _row("EfficientNetV2B2", NONE, 260, 8_769_374,
         "block4a_expand_activation block6a_expand_activation block6j_add "
         "top_activation", "efficientnet_v2_b2"),
    _row("EfficientNetV2B3", NONE, 300, 12_930_622,
         "block4a_expand_activation block6a_expand_activation block6l_add "
         "top_activation", "efficientnet_v2_b3"),
    _row("EfficientNetV2S", NONE, 384, 20_331_360,
         "block4a_expand_activation block6a_expand_activation block6o_add "
         "top_activation", "efficientnet_v2_s"),
    _row("EfficientNetV2M", NONE, 480, 53_150_388, _EFFICIENTNET, "efficientnet_v2_m"),
    _row("EfficientNetV2L", NONE, 480, 117_746_848, _EFFICIENTNET, "efficientnet_v2_l"),
    _row("ConvNeXtTiny", NONE, 224, 27_820_128,
         "add_2 add_5 add_14 layer_normalization", "convnext convnext_tiny"),
    _row("ConvNeXtSmall", NONE, 224, 49_454_688, _CONVNEXT, "convnext_small"),
    _row("ConvNeXtBase", NONE, 224, 87_566_464, _CONVNEXT, "convnext_base"),
    _row("ConvNeXtLarge", NONE, 224, 196_230_336, _CONVNEXT, "convnext_large"),
    _row("ConvNeXtXLarge", NONE, 224, 348_147_968, _CONVNEXT, "convnext_xlarge"),
)
# fmt: on

BACKBONES: dict[str, Backbone] = {row.name: row for row in _TABLE}
