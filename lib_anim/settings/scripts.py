"""Arguments for the other always-on scripts of a WebUI, as its API takes them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lib_anim.settings.fields import Spec, Wrong
from lib_anim.timeline.items import Dialect


@dataclass(frozen=True, kw_only=True)
class ScriptArguments(Spec):
    """Script's title → its arguments, in the order in which the script takes them.

    `{"ADetailer": [true, …]}`, or `{"ADetailer": {"args": [true, …]}}` as in the WebUI's `alwayson_scripts`.
    """

    def allowed(self) -> str:
        return 'an object such as {"ADetailer": [true, false, {"ad_model": "face_yolov8n.pt"}]}'

    def check(self, value: Any, *, field: str, dialect: Dialect) -> dict[str, list[Any]]:
        if value is None or value == "":
            return {}
        if not isinstance(value, Mapping):
            raise Wrong(self.allowed())
        found = {}
        for title, given in value.items():
            arguments = given.get("args") if isinstance(given, Mapping) and set(given) == {"args"} else given
            if not isinstance(arguments, list | tuple):
                raise Wrong(self.allowed())
            found[str(title)] = list(arguments)
        try:
            json.dumps(found, allow_nan=False)
        except (TypeError, ValueError):
            raise Wrong(self.allowed()) from None
        return found

    def schema(self) -> dict[str, Any]:
        return {"type": "object", "additionalProperties": {"type": "array"}}
