"""A picture between two prompts, on the host's conditionings."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import zip_longest
from typing import Any

import torch
from modules import extra_networks, prompt_parser, sd_samplers

from lib_anim.engines.contract import PromptTravel
from lib_anim.engines.mixing import How, between

Part = prompt_parser.ComposableScheduledPromptConditioning
Stretch = prompt_parser.ScheduledPromptConditioning


@contextmanager
def travelling(p: Any, travel: PromptTravel | None) -> Iterator[None]:
    """Inside, the request's conditionings are mixed with those of the travel's prompts.

    The method is put on the request itself, so nothing remains of it. The host's cached conditionings are
    read and never written.
    """
    if travel is None or travel.weight == 0:
        yield
        return
    # The host wears the networks of the request's own prompt only.
    worn = {name for name, _ in _networks(p.prompt)}
    p.prompt += "".join(tag for name, tag in _networks(travel.prompt) if name not in worn)
    before = p.setup_conds

    def setup_conds() -> None:
        before()
        _mix_into(p, travel)

    p.setup_conds = setup_conds
    try:
        yield
    finally:
        del p.setup_conds


def _mix_into(p: Any, travel: PromptTravel) -> None:
    config = sd_samplers.find_sampler_config(p.sampler_name)
    steps = config.total_steps(p.steps) if config else p.steps

    def learnt(text: str, negative: bool, function: Any) -> Any:
        asked = prompt_parser.SdConditioning(
            [text], width=p.width, height=p.height, is_negative_prompt=negative
        )
        # A cache of its own: the host's holds the first prompts, which the next frame wants again.
        return p.get_conds_with_caching(function, asked, steps, [[None, None]], p.extra_network_data)

    one = prompt_parser.get_learned_conditioning
    empty = learnt("", True, one)[0][0].cond
    texts, _ = extra_networks.parse_prompts([travel.prompt])
    other = learnt(texts[0], False, prompt_parser.get_multicond_learned_conditioning)
    parts = [_part(a, b, travel, empty) for a, b in zip_longest(p.c.batch[0], other.batch[0])]
    p.c = prompt_parser.MulticondLearnedConditioning(shape=p.c.shape, batch=[parts])
    negative = learnt(travel.negative, True, one)[0]
    p.uc = [_stretches(p.uc[0], negative, travel.weight, travel.how, empty)]


def _networks(prompt: str) -> list[tuple[str, str]]:
    """(kind and name, the whole tag) of every `<lora:name:1>` and the like in a prompt."""
    found = extra_networks.re_extra_net.finditer(prompt)
    return [(f"{tag[1]}:{tag[2].split(':')[0]}", tag[0]) for tag in found]


def _part(a: Any, b: Any, travel: PromptTravel, empty: Any) -> Any:
    """One part of an AND prompt on the way to another's; a part that the other lacks fades with its share."""
    weight = travel.weight
    shares = [0.0 if part is None else part.weight for part in (a, b)]
    one, other = a or b, b or a
    mixed = _stretches(one.schedules, other.schedules, weight, travel.how, empty)
    return Part(mixed, shares[0] * (1 - weight) + shares[1] * weight)


def _stretches(a: Sequence[Any], b: Sequence[Any], weight: float, how: How, empty: Any) -> list[Any]:
    """Two schedules of conditionings as one: where both change during the steps, both changes happen."""
    ends = sorted({stretch.end_at_step for stretch in (*a, *b)})
    return [Stretch(end, _mix(_at(a, end), _at(b, end), weight, how, empty)) for end in ends]


def _at(stretches: Sequence[Any], end: int) -> Any:
    return next((s.cond for s in stretches if s.end_at_step >= end), stretches[-1].cond)


def _mix(a: Any, b: Any, weight: float, how: How, empty: Any) -> Any:
    if isinstance(a, dict):
        # SDXL: "crossattn" (tokens, width) and "vector" (width,).
        return {name: _mix(a[name], b[name], weight, how, empty[name]) for name in a}
    if a.dim() == 2:
        length = max(len(a), len(b))
        a, b = _filled(a, length, empty), _filled(b, length, empty)
    return between(a, b, weight, how)


def _filled(cond: torch.Tensor, length: int, empty: torch.Tensor) -> torch.Tensor:
    """(length, width): chunks of the empty prompt behind the conditioning's own."""
    return torch.cat([cond, *[empty] * ((length - len(cond)) // len(empty))])
