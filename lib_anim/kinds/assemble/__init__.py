"""Assemble: existing frames become a film."""
