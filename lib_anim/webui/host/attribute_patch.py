"""Records attribute changes of an object and reverts them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

ABSENT = object()


class AttributePatch:
    """Records the instance attributes that change inside `recording`; `detach` reverts them.

    Some of the host's scripts and its img2img batch reuse one request for many pictures, so a clip must
    restore it.
    """

    def __init__(self, target: Any) -> None:
        self._target = target
        self._changed: dict[str, tuple[Any, Any]] = {}
        """Name → (original value or ABSENT, changed value)."""

    @contextmanager
    def recording(self) -> Iterator[None]:
        """Record the changes inside the block, also when it raises."""
        before = dict(vars(self._target))
        try:
            yield
        finally:
            for name, value in vars(self._target).items():
                if before.get(name, ABSENT) is not value:
                    self._changed[name] = before.get(name, ABSENT), value

    def original(self, name: str) -> Any:
        """The value before the recorded change; the current one where there is none."""
        return self._changed[name][0] if name in self._changed else getattr(self._target, name)

    def detach(self) -> None:
        """Revert the recorded changes, except attributes that have been changed again since."""
        for name, (before, ours) in self._changed.items():
            if vars(self._target).get(name, ABSENT) is not ours:
                continue
            if before is ABSENT:
                delattr(self._target, name)
            else:
                setattr(self._target, name, before)
        self._changed.clear()
