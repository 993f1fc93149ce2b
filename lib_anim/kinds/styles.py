"""Saved styles of an engine's user, laid round every prompt of a film as the WebUI lays them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from lib_anim.engines.contract.capabilities import Capabilities, Style
from lib_anim.errors import Problem
from lib_anim.timeline.prompts import FramePrompt, Travel

PLACE = "{prompt}"
"""Where a style takes the prompt in; without it the style follows the prompt."""


def chosen_styles(
    names: Sequence[str], can: Capabilities | None, problems: list[Problem]
) -> tuple[Style, ...]:
    """The styles of these names; unknown ones go to `problems`. Without an engine there are none."""
    if can is None:
        return ()
    problems += _unknown(names, can)
    return tuple(can.styles[name] for name in names if name in can.styles)


def styled(travel: Iterable[Travel], styles: Sequence[Style]) -> tuple[Travel, ...]:
    """Every frame's prompts with the styles, in their order."""
    return tuple(
        replace(place, before=_around(place.before, styles), after=_around(place.after, styles))
        for place in travel
    )


def _around(prompt: FramePrompt, styles: Sequence[Style]) -> FramePrompt:
    positive, negative = prompt.positive, prompt.negative
    for style in styles:
        positive, negative = _merged(style.prompt, positive), _merged(style.negative, negative)
    return FramePrompt(positive, negative)


def _merged(style: str, prompt: str) -> str:
    if PLACE in style:
        return style.replace(PLACE, prompt)
    return ", ".join(part for part in (prompt.strip(), style.strip()) if part)


def _unknown(names: Iterable[str], can: Capabilities) -> Iterable[Problem]:
    have = f"it has {', '.join(can.styles)}" if can.styles else "it has none"
    for name in names:
        if name not in can.styles:
            yield Problem(
                f'"{name}" is not a style of this engine; {have}', field="styles", code="engine.unknown_style"
            )
