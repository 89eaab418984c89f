"""Phases of training a network, from a linear probe to its whole depth."""
