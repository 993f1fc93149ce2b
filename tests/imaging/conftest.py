"""Hypothesis without its clock: on a shared machine a slow example is no failure."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("pictures", deadline=None, max_examples=50)
settings.load_profile("pictures")
