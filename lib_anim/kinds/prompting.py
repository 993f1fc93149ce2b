"""Prompt track with positive prefix and negative suffix."""

from __future__ import annotations

from typing import Any

from lib_anim.timeline.items import Dialect
from lib_anim.timeline.prompts import PromptTrack, parse_prompts


def prompt_track(
    prompts: str | dict[str, Any], positive: str, negative: str, dialect: Dialect
) -> PromptTrack:
    """The prompts with the prefix and suffix that every frame gets. Raises FlipbookError."""
    if not positive and not negative:
        return parse_prompts(prompts, dialect=dialect)
    if isinstance(prompts, dict) and "prompts" in prompts:
        positive = f"{positive} {prompts.get('positive', '')}".strip()
        negative = f"{prompts.get('negative', '')} {negative}".strip()
        prompts = prompts["prompts"]
    return parse_prompts({"prompts": prompts, "positive": positive, "negative": negative}, dialect=dialect)
