"""The WebUI's own pipeline as a Flipbook engine."""
