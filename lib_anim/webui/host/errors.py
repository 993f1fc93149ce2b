"""Ends a request of the host with an error message."""

from __future__ import annotations

from typing import Any, NoReturn

from fastapi import HTTPException

from lib_anim.errors import FlipbookError


def as_host_error(p: Any, error: Exception) -> Exception:
    """The exception to raise in request `p`: HTTPException with status and text for the API, else `error`."""
    if getattr(p, "is_api", False) and isinstance(error, FlipbookError):
        return HTTPException(status_code=error.status, detail=str(error))
    return error


def reject(p: Any, error: Exception) -> None:
    """Make the host end the request `p` with `error` before sampling.

    The host (1.10) swallows exceptions of script hooks and continues, but calls `p.setup_prompts` outside of
    any `try`: the API responds with the error's status and text, the page shows the text. Only an attribute
    of this request is changed.
    """

    def setup_prompts() -> NoReturn:
        raise as_host_error(p, error) from error

    p.setup_prompts = setup_prompts
    # Avoids loading another checkpoint, which the host does before `setup_prompts`.
    p.override_settings = {}


class FailedSamples:
    """Placeholder for the samples of a failed batch: reading any attribute raises RuntimeError.

    The host swallows exceptions of hooks, but reads attributes of `post_sample`'s result outside of any
    `try`.
    """

    def __init__(self, error: Exception) -> None:
        self._error = error

    def __getattr__(self, name: str) -> NoReturn:
        raise RuntimeError(f"the film could not be written: {self._error}") from self._error
