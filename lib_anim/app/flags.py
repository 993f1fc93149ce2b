"""Command line options that several commands share."""

from __future__ import annotations

import argparse
from typing import get_args

from lib_anim.types import AttentionBackend


def add_attention_flag(sub: argparse.ArgumentParser) -> None:
    """`--attention`."""
    sub.add_argument(
        "--attention",
        choices=get_args(AttentionBackend),
        default="sdpa",
        help="attention kernel of the embedded engine: PyTorch's, or xformers' where it is installed (sdpa)",
    )
