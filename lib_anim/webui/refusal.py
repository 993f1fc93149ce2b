"""Says no to a request of the host in one sentence."""

from __future__ import annotations

from typing import Any, NoReturn

from fastapi import HTTPException

from lib_anim.errors import FlipbookError


def refuse(p: Any, error: Exception) -> None:
    """Makes the host end the request `p` with `error` before anything is painted.

    The host (1.10) swallows whatever a script hook raises and paints on, but calls `p.setup_prompts` outside
    of any try: the API answers with the error's status and text, the page shows the text. The attribute
    belongs to this request; nothing remains for the next one.
    """

    def setup_prompts() -> NoReturn:
        if getattr(p, "is_api", False):
            status = error.status if isinstance(error, FlipbookError) else 500
            raise HTTPException(status_code=status, detail=str(error))
        raise error

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
