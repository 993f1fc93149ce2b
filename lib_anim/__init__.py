"""Flipbook: one timeline for every way of animating in the Stable Diffusion WebUI."""

__version__ = "0.1.0"
