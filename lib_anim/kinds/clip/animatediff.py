"""sd-webui-animatediff's forms of a clip's settings: its API's values and its infotext, both ways.

`KEYS` maps its names to Flipbook's; settings that it does not have keep Flipbook's names.
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from lib_anim.errors import FlipbookError, Problem
from lib_anim.kinds.clip.motion_settings import Motion
from lib_anim.settings.base import specs
from lib_anim.settings.fields import Flag, problems_of, shown

NAME = "AnimateDiff"
"""The script's name in requests of the API and the label in infotext."""

KEYS: Mapping[str, str] = {
    "model": "module",
    "video_length": "frames",
    "batch_size": "context",
    "format": "formats",
}
"""Its key → Flipbook's setting, where the names differ."""

POSITIONS = (
    "model",
    "enable",
    "video_length",
    "fps",
    "loop_number",
    "closed_loop",
    "batch_size",
    "stride",
    "overlap",
    "format",
    "interp",
    "interp_x",
    "video_source",
    "video_path",
    "mask_path",
    "freeinit_enable",
    "freeinit_filter",
    "freeinit_ds",
    "freeinit_dt",
    "freeinit_iters",
    "latent_power",
    "latent_scale",
    "last_frame",
    "latent_power_last",
    "latent_scale_last",
)
"""Its values in a row, as its page sends them: all in img2img, the first twenty in txt2img."""

IN_TXT2IMG = 20

ABOUT = ("mm_hash", "version")
"""Keys of its infotext that say what made a film; they set nothing."""

_THEIRS = {ours: theirs for theirs, ours in KEYS.items()}
_ENABLE = Flag(label="Enable AnimateDiff", help="Makes a film of the request.")
_BASE64 = re.compile(r"(?:data:[\w/+.-]+;base64,)?[A-Za-z0-9+/\s]{64,}={0,2}\s*")


@dataclass(frozen=True, kw_only=True)
class ClipCall:
    """What a request says to the AnimateDiff script."""

    motion: Motion = field(default_factory=Motion)
    enable: bool = False
    request_id: str = ""
    """Becomes a part of the films' names."""
    last_frame_data: str = ""
    """The last frame as base64 where it came as data, not as a path; `motion.last_frame` is empty then."""
    warnings: tuple[str, ...] = ()
    """Sentences about what was read in another way than it was written."""


def known_keys() -> dict[str, str]:
    """Every key that a request may hold → the setting that it means; both names of a setting stand here."""
    own = {name: name for name in specs(Motion)}
    return {"enable": "enable", "request_id": "request_id", **KEYS, **own}


def key_of(name: str) -> str:
    """The key by which sd-webui-animatediff knows a setting; the setting's own name where it has none."""
    return _THEIRS.get(name, name)


def read_args(args: Sequence[Any]) -> ClipCall:
    """What `alwayson_scripts.AnimateDiff.args` says: a dict, several partial ones, or values in a row.

    Of several dicts the later wins. Raises FlipbookError with a sentence for every key that does not
    exist, naming the nearest one, and for every value that is not allowed.
    """
    if not args:
        return ClipCall()
    if all(isinstance(part, Mapping) for part in args):
        merged: dict[str, Any] = {}
        for part in args:
            # A setting given under its other name in a later part must win too.
            named = {known_keys().get(str(key), str(key)) for key in part}
            merged = {k: v for k, v in merged.items() if known_keys().get(k, k) not in named}
            merged.update({str(key): value for key, value in part.items()})
        return read_dict(merged)
    if any(isinstance(part, Mapping) for part in args):
        raise FlipbookError(
            Problem("mixes objects and plain values; give one object", field="args", code="request.invalid")
        )
    if len(args) > len(POSITIONS):
        sentence = f"holds {len(args)} values; AnimateDiff has {len(POSITIONS)}, or give one object"
        raise FlipbookError(Problem(sentence, field="args", code="request.invalid"))
    return read_dict(dict(zip(POSITIONS, args, strict=False)))


def read_dict(data: Mapping[str, Any]) -> ClipCall:
    """What one dict says; keys that it leaves out take their defaults. Raises as `read_args`."""
    values: dict[str, Any] = {}
    problems: list[Problem] = []
    written: dict[str, str] = {}
    for key, value in data.items():
        name = known_keys().get(key)
        if name is None:
            problems.append(_unknown(key))
        elif name in values and values[name] != value:
            sentence = f'means the same as "{written[name]}" and has another value; give one of them'
            problems.append(Problem(sentence, field=key, code="request.invalid"))
        else:
            values[name], written[name] = value, key
    call, wrong = _call(values, written)
    problems.extend(wrong)
    if call is None or problems:
        raise FlipbookError(*problems)
    return call


def to_dict(call: ClipCall) -> dict[str, Any]:
    """The dict that gives this call back; every setting is in it, under sd-webui-animatediff's names."""
    found: dict[str, Any] = {"enable": call.enable}
    for name, spec in specs(Motion).items():
        found[key_of(name)] = spec.to_json(getattr(call.motion, name))
    if call.last_frame_data:
        found["last_frame"] = call.last_frame_data
    if call.request_id:
        found["request_id"] = call.request_id
    return found


def to_list(call: ClipCall, *, img2img: bool) -> list[Any]:
    """The values in a row, as sd-webui-animatediff's page sends them; settings that it lacks are left out."""
    keys = POSITIONS if img2img else POSITIONS[:IN_TXT2IMG]
    return [to_dict(call)[key] for key in keys]


def to_infotext(call: ClipCall, **about: str) -> str:
    """The value of the infotext entry `AnimateDiff`: `key: value, key: value`, under its names.

    Everything that it ever wrote is written, of the rest what differs from the default; `about` adds
    facts such as `mm_hash`. `last_frame_data` is too long for a picture's parameters and is left out.
    """
    default = Motion()
    pairs = {"enable": "True" if call.enable else "False"}
    for name, spec in specs(Motion).items():
        key, value = key_of(name), getattr(call.motion, name)
        if key in POSITIONS[: POSITIONS.index("video_source")] or value != getattr(default, name):
            pairs[key] = spec.to_text(value)
    if call.request_id:
        pairs["request_id"] = call.request_id
    pairs.update(about)
    return ", ".join(f"{key}: {_quoted(text)}" for key, text in pairs.items())


def from_infotext(text: str) -> ClipCall:
    """The call that an entry `AnimateDiff` was written from, by Flipbook or by sd-webui-animatediff.

    The latter never wrote `enable`: a film was made, so it is on. Raises FlipbookError for values that
    are not allowed; keys that mean nothing are named in the call's warnings.
    """
    values: dict[str, Any] = {"enable": True}
    written: dict[str, str] = {}
    unknown = []
    for key, value in _pairs(text):
        name = known_keys().get(key)
        if name is not None:
            spec = specs(Motion).get(name)
            values[name] = value if spec is None else spec.from_text(value)
            written[name] = key
        elif key not in ABOUT:
            unknown.append(f"{_unknown(key).sentence}; it is ignored")
    call, problems = _call(values, written)
    if call is None or problems:
        raise FlipbookError(*problems)
    return ClipCall(
        motion=call.motion,
        enable=call.enable,
        request_id=call.request_id,
        last_frame_data=call.last_frame_data,
        warnings=(*call.warnings, *unknown),
    )


def _call(values: dict[str, Any], written: Mapping[str, str]) -> tuple[ClipCall | None, tuple[Problem, ...]]:
    """(the call, no problems) or (None, what is wrong, under the keys as they were written)."""
    values = {name: value for name, value in values.items() if value is not None}
    enable, problems = problems_of(_ENABLE, "enable", values.pop("enable", False))
    request_id = str(values.pop("request_id", ""))
    data = ""
    if isinstance(values.get("last_frame"), str) and _BASE64.fullmatch(values["last_frame"]):
        data = values.pop("last_frame")
    warnings = []
    if str(values.get("interp", "")).upper() == "FILM":
        values["interp"] = "Flow"
        warnings.append(
            "interp: FILM is a network of another extension; Flipbook moves the frames along their"
            " optical flow instead (Flow)"
        )
    try:
        motion = Motion(**values)
    except FlipbookError as error:
        under = written.get
        named = tuple(
            Problem(p.message, under(p.field, p.field), p.key, p.column, p.text, code=p.code)
            for p in error.problems
        )
        return None, (*problems, *named)
    call = ClipCall(
        motion=motion,
        enable=enable,
        request_id=request_id,
        last_frame_data=data,
        warnings=tuple(warnings),
    )
    return call, problems


def _unknown(key: str) -> Problem:
    near = difflib.get_close_matches(key, known_keys(), n=1, cutoff=0.5)
    hint = f'the nearest is "{near[0]}"' if near else f"there are {', '.join(sorted(known_keys()))}"
    return Problem(
        f"{shown(key)} is not a setting of AnimateDiff; {hint}", field=key, code="settings.unknown_name"
    )


def _quoted(text: str) -> str:
    """The text itself, or as JSON where a reader could not tell where it ends."""
    plain = text == text.strip() and not re.search(r'[\x00-\x1f\x7f-\x9f\u2028\u2029"]|, |: |,$', text)
    return text if plain and text else json.dumps(text)


_PAIR = re.compile(
    r"""\s*(?P<key>[^:,"]+?):\s*"""
    r"""(?:"(?P<quoted>(?:\\.|[^"\\])*)"(?=\s*(?:,|$))|(?P<bare>.*?)(?=,\s*[a-z][a-z0-9_]*: |$))""",
    re.DOTALL,
)


def _pairs(text: str) -> Iterator[tuple[str, str]]:
    """Key and value of each pair. A bare value goes on over commas, up to one with a key behind it."""
    position = 0
    while pair := _PAIR.match(text, position):
        value = pair["bare"]
        if value is None:
            value = json.loads(f'"{pair["quoted"]}"', strict=False)
        yield pair["key"].strip(), value
        position = pair.end()
        if text[position : position + 1] == ",":
            position += 1
