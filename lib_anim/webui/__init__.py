"""Adapter to AUTOMATIC1111's WebUI; the only package that imports the WebUI's modules."""
