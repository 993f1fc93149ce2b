"""Clips: frames denoised together under a motion module."""
