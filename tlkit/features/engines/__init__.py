"""Engines that compute the frozen layers."""
