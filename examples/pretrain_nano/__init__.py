"""The pretraining of Nano: images drawn by formulas, and a network on them.

    python -m examples.pretrain_nano --out nano.weights.h5

fractals, contours, strokes, bodies: what can be in an image; grounds: on what;
library: many of each, by class; scenes: one on the other; training: the network that
classifies them.
"""
