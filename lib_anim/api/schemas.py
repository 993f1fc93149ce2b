"""JSON Schemas of requests and responses for OpenAPI, with examples. A table."""

from __future__ import annotations

from typing import Any

from lib_anim.actions.jobs import STATUSES, JobRecord

PREFIX = "/flipbook/v1"


def job_json(record: JobRecord, with_settings: bool = True) -> dict[str, Any]:
    """A job as clients see it. The folder is named without its place on the machine."""
    at = f"{PREFIX}/jobs/{record.id}"
    return {
        "id": record.id,
        "kind": record.kind,
        "label": record.label,
        "engine": record.engine or None,
        "status": record.status,
        "phase": record.phase,
        "frames_done": record.frames_done,
        "frames": record.frames or None,
        "seconds_left": record.seconds_left,
        "warnings": list(record.warnings),
        "error": " ".join(error["message"] for error in record.errors) or None,
        "errors": list(record.errors),
        "outputs": {name: f"{at}/{name}" for name in record.outputs},
        "resumable": record.resumable,
        "ending": record.cancelling,
        "run": record.folder.name if record.folder else None,
        "task": dict(record.task),
        "batch": record.batch,
        "created": record.created,
        "started": record.started,
        "ended": record.ended,
        **({"settings": dict(record.settings)} if with_settings else {}),
    }


ID = "3q2-7wAAAAAAAAAAAAAAAA"

_TEXT: dict[str, Any] = {"type": "string"}
_TEXTS: dict[str, Any] = {"type": "array", "items": _TEXT}
_OBJECT: dict[str, Any] = {"type": "object"}


def _maybe(schema: dict[str, Any]) -> dict[str, Any]:
    return {"anyOf": [schema, {"type": "null"}]}


ERROR: dict[str, Any] = {
    "type": "object",
    "required": ["errors"],
    "properties": {
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["message"],
                "properties": {
                    "code": _maybe(_TEXT),
                    "field": _maybe(_TEXT),
                    "key": _maybe(_TEXT),
                    "column": _maybe({"type": "integer"}),
                    "message": _TEXT,
                },
            },
        }
    },
    "example": {
        "errors": [
            {
                "code": "schedule.syntax",
                "field": "zoom",
                "key": "0",
                "column": 3,
                "message": 'zoom, key 0, column 3: this "(" is never closed',
            }
        ]
    },
}

JOB: dict[str, Any] = {
    "type": "object",
    "required": ["id", "kind", "status", "frames_done"],
    "properties": {
        "id": _TEXT,
        "kind": _TEXT,
        "label": _TEXT,
        "engine": _maybe(_TEXT),
        "status": {"type": "string", "enum": list(STATUSES)},
        "phase": _TEXT,
        "frames_done": {"type": "integer"},
        "frames": _maybe({"type": "integer"}),
        "seconds_left": _maybe({"type": "number"}),
        "warnings": _TEXTS,
        "error": _maybe(_TEXT),
        "errors": ERROR["properties"]["errors"],
        "outputs": {"type": "object", "additionalProperties": _TEXT},
        "resumable": {"type": "boolean"},
        "ending": {"type": "boolean"},
        "run": _maybe(_TEXT),
        "task": _OBJECT,
        "batch": _TEXT,
        "created": {"type": "number"},
        "started": _maybe({"type": "number"}),
        "ended": _maybe({"type": "number"}),
        "settings": _OBJECT,
    },
    "example": {
        "id": ID,
        "kind": "keyframed",
        "label": "seasons, slow zoom",
        "engine": "demo",
        "status": "running",
        "phase": "painting",
        "frames_done": 12,
        "frames": 48,
        "seconds_left": 41.5,
        "warnings": [],
        "error": None,
        "errors": [],
        "outputs": {},
        "resumable": False,
        "ending": False,
        "run": "20260725-101500-keyframed",
        "task": {},
        "batch": "AAAAAAAAAAAAAAAA",
        "created": 1784974500.0,
        "started": 1784974501.0,
        "ended": None,
    },
}

JOBS: dict[str, Any] = {
    "type": "object",
    "required": ["jobs"],
    "properties": {"jobs": {"type": "array", "items": JOB}},
    "example": {"jobs": [JOB["example"]]},
}

ORDER: dict[str, Any] = {
    "type": "object",
    "required": ["kind", "settings"],
    "properties": {
        "kind": {"type": "string", "description": "One of `GET /kinds`."},
        "settings": {
            "type": "object",
            "description": "As `GET /schema/{kind}` says; missing ones take defaults.",
        },
        "engine": {"type": "string", "description": "One of `GET /engines`; the default one without."},
        "trial": {
            "type": "object",
            "description": "A draft: `every` n-th frame, `half` the size, `only` one frame.",
        },
        "label": {"type": "string", "description": "Your name for the job, shown in lists."},
    },
    "additionalProperties": False,
    "example": {
        "kind": "keyframed",
        "engine": "checker",
        "settings": {"frames": 24, "fps": 12, "width": 256, "height": 256, "prompts": {"0": "a tree"}},
    },
}

SUBMIT: dict[str, Any] = {
    "anyOf": [ORDER, {"type": "array", "minItems": 1, "items": ORDER}],
    "example": ORDER["example"],
}

IDS: dict[str, Any] = {
    "type": "object",
    "required": ["ids"],
    "properties": {"ids": _TEXTS},
    "example": {"ids": [ID]},
}

MOVE: dict[str, Any] = {
    "type": "object",
    "required": ["to"],
    "properties": {
        "to": {"type": "integer", "minimum": -1, "description": "0 is next, -1 is last.", "maximum": 10**9}
    },
    "additionalProperties": False,
    "example": {"to": 0},
}

RERENDER: dict[str, Any] = {
    "type": "object",
    "required": ["first", "last"],
    "properties": {
        "first": {"type": "integer", "minimum": 0},
        "last": {"type": "integer", "minimum": 0},
        "changes": {"type": "object", "description": "Settings that differ from the film's."},
    },
    "additionalProperties": False,
    "example": {"first": 4, "last": 8, "changes": {"strength": 0.4}},
}

CURVES: dict[str, Any] = {
    "type": "object",
    "required": ["schedules", "frames"],
    "properties": {
        "schedules": {"type": "object", "additionalProperties": {"type": ["string", "number"]}},
        "frames": {"type": "integer", "minimum": 1},
        "fps": {"type": ["number", "string"]},
        "seed": {"type": "integer"},
        "width": {"type": "integer"},
        "height": {"type": "integer"},
        "bpm": {"type": "number"},
        "cadence": {"type": "integer"},
        "dialect": {"type": "string", "enum": ["native", "deforum"]},
        "kind": {
            "type": "string",
            "description": "The bounds of its settings hold for schedules of their names.",
        },
    },
    "additionalProperties": False,
    "example": {"schedules": {"zoom": "0:(1), 4:(2)", "angle": "0:("}, "frames": 5, "fps": 12},
}

CURVES_FOUND: dict[str, Any] = {
    "type": "object",
    "required": ["curves", "errors"],
    "properties": {
        "curves": {
            "type": "object",
            "additionalProperties": {"type": "array", "items": {"type": ["number", "string"]}},
        },
        "errors": {"type": "object", "additionalProperties": _TEXT},
        "problems": {"type": "object", "additionalProperties": ERROR["properties"]["errors"]},
        "warnings": _TEXTS,
    },
    "example": {
        "curves": {"zoom": [1.0, 1.25, 1.5, 1.75, 2.0]},
        "errors": {"angle": 'angle, key 0, column 3: this "(" is never closed'},
        "problems": {"angle": ERROR["example"]["errors"]},
        "warnings": [],
    },
}

PROMPTS: dict[str, Any] = {
    "type": "object",
    "required": ["prompts", "frames"],
    "properties": {
        "prompts": {"type": ["string", "object"]},
        **{name: CURVES["properties"][name] for name in ("frames", "fps", "seed", "bpm", "dialect")},
        **{name: CURVES["properties"][name] for name in ("width", "height", "cadence")},
    },
    "additionalProperties": False,
    "example": {"prompts": {"0": "spring", "2": "winter --neg people"}, "frames": 4},
}

PROMPTS_FOUND: dict[str, Any] = {
    "type": "object",
    "required": ["spans"],
    "properties": {
        "spans": {"type": "array", "items": _OBJECT},
        "keyframes": {"type": "array", "items": {"type": "integer"}},
        "warnings": _TEXTS,
    },
    "example": {
        "spans": [
            {"first": 0, "last": 1, "positive": "spring", "negative": ""},
            {"first": 2, "last": 3, "positive": "winter", "negative": "people"},
        ],
        "keyframes": [0, 2],
        "warnings": [],
    },
}

ESTIMATE: dict[str, Any] = {
    "type": "object",
    "properties": {
        "frames": _maybe({"type": "integer"}),
        "paint": _maybe({"type": "integer"}),
        "bytes": _maybe({"type": "integer"}),
        "seconds": _maybe({"type": "number"}),
    },
    "example": {"frames": 24, "paint": 24, "bytes": 10_000_000, "seconds": 9.5},
}

SETTINGS: dict[str, Any] = {
    "type": "object",
    "required": ["kind", "settings"],
    "properties": {"kind": _TEXT, "settings": _OBJECT},
    "additionalProperties": False,
    "example": {"kind": "keyframed", "settings": {"frames": 48, "zoom": "0:(1.02)"}},
}

PRESET: dict[str, Any] = {
    "type": "object",
    "required": ["name", "kind", "settings"],
    "properties": {
        "name": _TEXT,
        "kind": _TEXT,
        "about": _TEXT,
        "shipped": {"type": "boolean"},
        "settings": _OBJECT,
    },
    "example": {
        "name": "slow zoom",
        "kind": "keyframed",
        "about": "",
        "shipped": False,
        "settings": {"zoom": "0:(1.01)"},
    },
}

PRESETS: dict[str, Any] = {
    "type": "object",
    "required": ["presets"],
    "properties": {"presets": {"type": "array", "items": _OBJECT}},
    "example": {"presets": [{"name": "Seasons", "kind": "keyframed", "about": "…", "shipped": True}]},
}

PRESET_PUT: dict[str, Any] = {
    "type": "object",
    "required": ["kind", "settings"],
    "properties": {
        "kind": _TEXT,
        "settings": _OBJECT,
        "about": {"type": "string", "maxLength": 1000},
        "parts": {"type": "array", "items": {"type": "string", "enum": ["motion", "prompts", "output"]}},
        "name": {"type": "string", "description": "As in an exported file; the path's name counts."},
    },
    "additionalProperties": False,
    "example": {"kind": "keyframed", "settings": {"zoom": "0:(1.01)"}, "parts": ["motion"]},
}

RENAME: dict[str, Any] = {
    "type": "object",
    "required": ["to"],
    "properties": {"to": {"type": "string", "minLength": 1, "maxLength": 80}},
    "additionalProperties": False,
    "example": {"to": "slow zoom, closer"},
}

FILE_OR_SETTINGS: dict[str, Any] = {
    "type": "object",
    "properties": {"file": _TEXT, "kind": _TEXT, "settings": _OBJECT},
    "additionalProperties": False,
    "example": {"kind": "keyframed", "settings": {"max_frames": 24, "zoom": "0: (1.02)", "W": 512}},
}

LOADED: dict[str, Any] = {
    "type": "object",
    "required": ["kind", "settings", "warnings"],
    "properties": {"kind": _TEXT, "settings": _OBJECT, "warnings": _TEXTS},
    "example": {"kind": "keyframed", "settings": {"frames": 24}, "warnings": []},
}

UPLOAD: dict[str, Any] = {
    "type": "object",
    "required": ["upload"],
    "properties": {"upload": _TEXT},
    "example": {"upload": f"upload:{ID}.png"},
}

RUNS: dict[str, Any] = {
    "type": "object",
    "required": ["runs"],
    "properties": {"runs": {"type": "array", "items": _OBJECT}},
    "example": {
        "runs": [
            {
                "name": "20260725-101500-keyframed",
                "kind": "keyframed",
                "status": "done",
                "created": "2026-07-25T10:15:00+0200",
                "frames": 48,
                "bytes": 12_000_000,
            }
        ]
    },
}

FREED: dict[str, Any] = {
    "type": "object",
    "required": ["bytes"],
    "properties": {"bytes": {"type": "integer"}},
    "example": {"bytes": 12_000_000},
}


def takes(schema: dict[str, Any]) -> dict[str, Any]:
    """OpenAPI of a request's JSON."""
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}


def gives(
    schema: dict[str, Any], status: int = 200, what: str = "As asked."
) -> dict[int | str, dict[str, Any]]:
    """OpenAPI of a JSON answer, and of those that refuse."""
    refused = {
        404: "Nothing of that name.",
        409: "It contradicts the present state.",
        413: "Too large.",
        415: "Not the media type that is taken.",
        422: "What is wrong, field by field.",
        429: "Too much in a short time.",
    }
    return {
        status: {"description": what, "content": {"application/json": {"schema": schema}}},
        **{
            code: {"description": words, "content": {"application/json": {"schema": ERROR}}}
            for code, words in refused.items()
        },
    }


def gives_file(kind: str, what: str) -> dict[int | str, dict[str, Any]]:
    """OpenAPI of an answer that is a file."""
    schema = {"type": "string", "format": "binary"}
    return {**gives(ERROR), 200: {"description": what, "content": {kind: {"schema": schema}}}}
