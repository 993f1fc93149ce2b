"""The WebUI as an engine for films."""
