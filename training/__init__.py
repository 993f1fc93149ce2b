"""Training of the demo checkpoint: drawn scenes, captions, networks, stages, conversion."""
