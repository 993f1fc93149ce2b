"""Executors: who paints the independent frame ranges of a run."""
