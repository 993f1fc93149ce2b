"""Adds Flipbook's options to the WebUI's command line. Standard library only: runs before install.py."""

from __future__ import annotations

import argparse
import os


def preload(parser: argparse.ArgumentParser) -> None:
    """Add Flipbook's options; the WebUI calls this with its argument parser."""
    parser.add_argument(
        "--flipbook-dir",
        type=os.path.abspath,
        default=None,
        help="folder for Flipbook's films and presets (default: flipbook in the data directory)",
    )
    parser.add_argument(
        "--flipbook-allow",
        type=os.path.abspath,
        action="append",
        default=[],
        metavar="DIR",
        help="folder whose media files requests may name although this WebUI is shared (repeatable)",
    )
