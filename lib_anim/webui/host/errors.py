"""Says no to a request of the host in one sentence."""

from __future__ import annotations

from typing import Any, NoReturn

from fastapi import HTTPException

from lib_anim.errors import FlipbookError


def outward(p: Any, error: Exception) -> Exception:
    """What to raise out of the host's work on request `p`, whose API answers with a status and a text."""
    if getattr(p, "is_api", False) and isinstance(error, FlipbookError):
        return HTTPException(status_code=error.status, detail=str(error))
    return error


def refuse(p: Any, error: Exception) -> None:
    """Makes the host end the request `p` with `error` before anything is painted.

    The host (1.10) swallows whatever a script hook raises and paints on, but calls `p.setup_prompts` outside
    of any try: the API answers with the error's status and text, the page shows the text. The attribute
    belongs to this request; nothing remains for the next one.
    """

    def setup_prompts() -> NoReturn:
        raise outward(p, error) from error

    p.setup_prompts = setup_prompts
    # Loaded before `setup_prompts` otherwise: another checkpoint, for nothing.
    p.override_settings = {}


class Failure:
    """Stands in for a batch's pictures that could not be made: the host ends the request when it looks at it.

    The host swallows what hooks raise, but asks `post_sample`'s result for attributes outside of any try.
    """

    def __init__(self, error: Exception) -> None:
        self._error = error

    def __getattr__(self, name: str) -> NoReturn:
        raise RuntimeError(f"the film could not be written: {self._error}") from self._error
