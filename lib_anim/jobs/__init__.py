"""A pipeline running in a run folder: frames, manifest, resume."""
