"""The kinds of film. Adding a kind means one line here; every entry point lists them from this table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lib_anim.errors import NotFound, Problem
from lib_anim.kinds.assemble.kind import ASSEMBLE
from lib_anim.kinds.base import Importer, Kind, PaintedKind
from lib_anim.kinds.clip.kind import CLIP
from lib_anim.kinds.keyframed.kind import KEYFRAMED
from lib_anim.kinds.restyle.kind import RESTYLE
from lib_anim.settings.base import Settings

KINDS: dict[str, Kind] = {}
"""Every kind by name, in the order in which entry points show them."""

SETTINGS: dict[str, type[Settings]] = {}
"""The settings class of every kind."""


def register(kind: Kind) -> None:
    """Add a kind; every entry point lists it from then on."""
    KINDS[kind.name] = kind
    SETTINGS[kind.name] = kind.settings


register(KEYFRAMED)
register(CLIP)
register(RESTYLE)
register(ASSEMBLE)

DEFAULT_KIND = KEYFRAMED.name
"""The kind of settings that name none."""


def find_kind(name: object) -> Kind:
    """The kind with this name. Raises NotFound with the names that exist."""
    if name not in KINDS:
        sentence = f'there is no kind "{name}"; there are {", ".join(KINDS)}'
        raise NotFound(Problem(sentence, field="kind", code="kind.unknown"))
    return KINDS[str(name)]


def painted_kind(name: object) -> PaintedKind:
    """The kind with this name, painted by an engine. Raises NotFound with the names of those."""
    kind = find_kind(name)
    if not isinstance(kind, PaintedKind):
        painted = ", ".join(other.name for other in KINDS.values() if isinstance(other, PaintedKind))
        sentence = f'no engine paints "{name}"; engines paint {painted}'
        raise NotFound(Problem(sentence, field="kind", code="kind.not_painted"))
    return kind


def importer_of(data: Mapping[str, Any]) -> Importer | None:
    """The importer that recognises an object; None for Flipbook's own settings, which have a `kind`."""
    if "kind" in data:
        return None
    importers = (importer for kind in reversed(tuple(KINDS.values())) for importer in kind.importers)
    return next((importer for importer in importers if importer.recognises(data)), None)
