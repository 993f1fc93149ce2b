"""What a clip puts on a request of the host, to be taken off again."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

ABSENT = object()


class AttributePatch:
    """A handle on an object's own attributes: those that were changed while it was put on.

    Some of the host's scripts and its img2img batch make one request into picture after picture; each must
    find it as its user made it.
    """

    def __init__(self, target: Any) -> None:
        self._target = target
        self._changed: dict[str, tuple[Any, Any]] = {}
        """Name → (what was there, what was put there)."""

    @contextmanager
    def putting_on(self) -> Iterator[None]:
        """Remember what is changed inside, also where an error ends it."""
        before = dict(vars(self._target))
        try:
            yield
        finally:
            for name, value in vars(self._target).items():
                if before.get(name, ABSENT) is not value:
                    self._changed[name] = before.get(name, ABSENT), value

    def before(self, name: str) -> Any:
        """What an attribute was, or is where it was not changed."""
        return self._changed[name][0] if name in self._changed else getattr(self._target, name)

    def detach(self) -> None:
        """Give the attributes back what they were, but for those that someone else has changed since."""
        for name, (before, ours) in self._changed.items():
            if vars(self._target).get(name, ABSENT) is not ours:
                continue
            if before is ABSENT:
                delattr(self._target, name)
            else:
                setattr(self._target, name, before)
        self._changed.clear()
