"""Weights files: detection, reading, network shapes."""
