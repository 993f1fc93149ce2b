"""Adds Flipbook's flags to the WebUI's command line, before anything is installed: standard library only."""

from __future__ import annotations

import argparse
import os


def preload(parser: argparse.ArgumentParser) -> None:
    """Called by the WebUI with its argument parser."""
    parser.add_argument(
        "--flipbook-dir",
        type=os.path.abspath,
        default=None,
        help="folder in which Flipbook keeps its films and presets (default: flipbook in the data directory)",
    )
    parser.add_argument(
        "--flipbook-allow",
        type=os.path.abspath,
        action="append",
        default=[],
        metavar="DIR",
        help="a folder whose media callers may name although others can reach this WebUI (may be repeated)",
    )
