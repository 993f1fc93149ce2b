"""Kinds of film: one folder per kind, and what all kinds share."""
