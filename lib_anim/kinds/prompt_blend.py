"""What an engine is asked to paint between two prompts."""

from __future__ import annotations

from lib_anim.engines.contract.requests import PromptTravel
from lib_anim.timeline.prompts import Travel
from lib_anim.types import PromptBlend


def blended(place: Travel, how: PromptBlend) -> tuple[str, str, PromptTravel | None]:
    """(prompt, negative, second prompt) at a frame's place between two prompts.

    "hold" keeps the first one until the next key; "AND" sets both side by side with weights; "lerp" and
    "slerp" leave it to the engine to mix their conditioning.
    """
    before, after, weight = place.before, place.after, place.weight
    if how == "hold" or weight == 0:
        return before.positive, before.negative, None
    if how == "AND":
        prompt = f"{before.positive} :{1 - weight:.4f} AND {after.positive} :{weight:.4f}"
        return prompt, _weighted(before.negative, after.negative, weight), None
    travel = PromptTravel(prompt=after.positive, negative=after.negative, weight=weight, how=how)
    return before.positive, before.negative, travel


def _weighted(before: str, after: str, weight: float) -> str:
    """Two negative prompts as one: AND composes positive ones only, so attention weighs."""
    if before == after:
        return before
    parts = [(before, 1 - weight), (after, weight)]
    return ", ".join(f"({text}:{share:.4f})" for text, share in parts if text)
