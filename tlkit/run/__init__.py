"""STAGE 4: a data set and a model in, a run directory out."""
