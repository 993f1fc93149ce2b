"""Atomic file writes."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def write_bytes(path: Path, data: bytes) -> None:
    """Write a file under its `.part` name, force it to the disk, and put it in place in one step."""
    part = path.with_name(path.name + ".part")
    with open(part, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    os.replace(part, path)


def write_json(path: Path, value: Mapping[str, Any]) -> None:
    """Write JSON (UTF-8, indented) in one step."""
    write_bytes(path, (json.dumps(value, ensure_ascii=False, indent=2) + "\n").encode())
