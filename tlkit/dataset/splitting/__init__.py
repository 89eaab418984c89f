"""The examples of a data set, their groups and their split."""
