"""Stored values of the tab's controls, valid or not, so that every browser shows the same."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lib_anim.jobs import atomic


class FormState:
    """One draft for each kind of film, in one file. A damaged file counts as none: it holds no work of hours.

    Safe to call from any thread of one process.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()

    def get(self, kind: str) -> dict[str, Any]:
        """What was kept last for a kind; empty at first."""
        with self._lock:
            found = self._all().get(kind, {})
        return found if isinstance(found, dict) else {}

    def keep(self, kind: str, draft: Mapping[str, Any]) -> None:
        """Keep a draft in place of the kind's former one. Raises OSError."""
        with self._lock:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            atomic.write_json(self._path, {**self._all(), kind: dict(draft)})

    def _all(self) -> dict[str, Any]:
        try:
            found = json.loads(self._path.read_text("utf-8"))
        except (OSError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}
