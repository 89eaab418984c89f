"""The options of commands that only ask a frozen network what it sees."""

from __future__ import annotations

from tlkit.cli.finetune import _option as option

BACKBONE = option("Network; see tlkit backbones.", "backbone")
WEIGHTS = option(
    "imagenet | none | FILE.h5: what the network knows already.", "weights"
)
SIZE = option("Side of the pictures in pixels; else the native one.")
CUT = option("Last layer that is used, see tlkit layers; else the last.")
RESIZE = option("squash | crop | pad: how pictures get square.", "resize")
SEED = option("Seed of everything random.", "seed")
WORKERS = option("Processes that read pictures, 0 for none; else one a processor.")
DEVICE = option("auto | cpu | gpu; gpu without one is an error.", "device")
ENGINE = option("auto | openvino | keras: what computes the frozen layers.", "engine")
STORE = option("Keep what the frozen layers give; see tlkit cache.", "store")
