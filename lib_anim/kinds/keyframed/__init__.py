"""Keyframed animation."""
