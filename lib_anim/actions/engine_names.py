"""Check the name of an engine that a caller asks for."""

from __future__ import annotations

from lib_anim.actions.engines import Engines
from lib_anim.errors import FlipbookError, Problem


def engine_name(engines: Engines, wanted: str) -> str:
    """The engine's name, the default where none is wanted. Raises FlipbookError with the names that exist."""
    name = wanted or engines.default
    if name not in engines.names():
        sentence = f'there is no engine "{name}"; there are {", ".join(engines.names())}'
        raise FlipbookError(Problem(sentence, field="engine", code="engine.unknown"))
    return name
