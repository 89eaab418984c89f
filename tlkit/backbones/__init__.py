"""Pretrained networks: the table, building, cutting, weights."""
