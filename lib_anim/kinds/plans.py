"""What the plans of all kinds share: fingerprint, and checks of settings against an engine's capabilities."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from lib_anim.engines.contract.capabilities import Capabilities, Style
from lib_anim.errors import Problem
from lib_anim.settings.base import Settings, to_json


def fingerprint(settings: Settings, styles: Sequence[Style], engine: str, *more: Any) -> str:
    """SHA-256 of all that determines the frames: resolved settings, style texts, engine, `more` (JSON)."""
    facts = [to_json(settings), settings.dialect, *more, engine, *map(repr, styles)]
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


def unsupported(
    words: Mapping[str, Sequence[str]], size: tuple[int, int], subseeds: Any, can: Capabilities
) -> Iterator[Problem]:
    """What no picture of an engine can have.

    `words` are the values of sampler, scheduler, checkpoint and vae over the film, `size` is (width, height),
    `subseeds` the subseed strengths.
    """
    for name, value in zip(("width", "height"), size, strict=True):
        if value % can.multiple_of:
            sentence = f"{value} does not fit this engine; it takes multiples of {can.multiple_of}"
            yield Problem(sentence, field=name, code="size.not_a_multiple")
    for name, have in (("sampler", can.samplers), ("scheduler", can.schedulers)):
        for word in sorted(set(words.get(name, ())) - set(have)):
            sentence = f'"{word}" is not a {name} of this engine; it has {", ".join(have)}'
            yield Problem(sentence, field=name, code=f"engine.unknown_{name}")
    for name, have in (("checkpoint", can.checkpoints), ("vae", can.vaes)):
        for word in sorted({word for word in words.get(name, ()) if word} - set(have)):
            choice = f"it has {', '.join(have)}" if have else "it has none to change to"
            sentence = f'"{word}" is not a {name} of this engine; {choice}'
            yield Problem(sentence, field=name, code=f"engine.unknown_{name}")
    if not can.subseed and np.any(np.asarray(subseeds) > 0):
        sentence = "this engine has no subseeds; 0 switches them off"
        yield Problem(sentence, field="subseed_strength", code="engine.missing_feature")
