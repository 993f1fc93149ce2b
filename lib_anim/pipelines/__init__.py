"""Plans in, events out: one sub-package per kind of film."""
