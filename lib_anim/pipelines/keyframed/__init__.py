"""Deforum-style keyframed animation."""
