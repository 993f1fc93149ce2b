"""Restyle: img2img over every frame of a film."""
