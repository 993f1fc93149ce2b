"""Importer for Deforum's settings files."""
