"""Routes, parameters and fields of the HTTP API stay; new ones may come."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.actions.conftest import Checkers
from tests.compat.goldens import golden, missing, without_prose

pytest.importorskip("fastapi")


def _inlined(schema: Any, definitions: dict[str, Any]) -> Any:
    if isinstance(schema, list):
        return [_inlined(item, definitions) for item in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        return _inlined(definitions[schema["$ref"].rsplit("/", 1)[1]], definitions)
    return {key: _inlined(value, definitions) for key, value in schema.items()}


def test_every_route_and_field_is_still_there(tmp_path: Path) -> None:
    from lib_anim.actions.services import Services
    from lib_anim.api.server import create_app

    services = Services(tmp_path, Checkers())
    try:
        api = create_app(services).openapi()
    finally:
        services.close()
    definitions = api.get("components", {}).get("schemas", {})
    now = without_prose(_inlined(api["paths"], definitions))
    assert missing(golden("openapi.json.xz"), now) == []
