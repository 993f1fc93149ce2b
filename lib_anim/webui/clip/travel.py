"""Pictures between two prompts, on the host's conditionings."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import zip_longest
from typing import Any

import torch
from modules import extra_networks, prompt_parser, sd_samplers

from lib_anim.engines.contract.requests import PromptTravel
from lib_anim.engines.text.mixing import between
from lib_anim.types import Mixing

Part = prompt_parser.ComposableScheduledPromptConditioning
Stretch = prompt_parser.ScheduledPromptConditioning
Mix = Callable[[Any, Any], Any]
"""Mixes two conditionings of one step: (tokens, width), or SDXL's mapping of `crossattn` and `vector`."""

MARK = 1024
"""What sd-webui-controlnet fills a row with, of either sign, which it puts before each conditioning."""


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
    worn = {name for name, _ in networks_in(p.prompt)}
    p.prompt += "".join(tag for name, tag in networks_in(travel.prompt) if name not in worn)
    before = p.setup_conds

    def setup_conds() -> None:
        before()
        _mix_into(p, travel)

    p.setup_conds = setup_conds
    try:
        yield
    finally:
        del p.setup_conds


def networks_in(prompt: str) -> list[tuple[str, str]]:
    """(kind and name, the whole tag) of every `<lora:name:1>` and the like in a prompt."""
    found = extra_networks.re_extra_net.finditer(prompt)
    return [(f"{tag[1]}:{tag[2].split(':')[0]}", tag[0]) for tag in found]


def learnt(p: Any, texts: Sequence[str], *, negative: bool, conditions: bool, hires: bool = False) -> Any:
    """The host's conditionings of `texts` for this request: with `conditions` those of AND, else plain ones.

    In a cache of their own: the host's holds the request's own prompts, which are wanted again.
    """
    parser = prompt_parser
    asked = parser.SdConditioning(list(texts), width=p.width, height=p.height, is_negative_prompt=negative)
    function = parser.get_multicond_learned_conditioning if conditions else parser.get_learned_conditioning
    if not hires:
        return p.get_conds_with_caching(
            function, asked, _total(p.sampler_name, p.steps), [[None, None]], p.extra_network_data
        )
    asked.width, asked.height = p.hr_upscale_to_x, p.hr_upscale_to_y
    steps = _total(p.hr_sampler_name or p.sampler_name, p.hr_second_pass_steps or p.steps)
    return p.get_conds_with_caching(
        function, asked, p.firstpass_steps, [[None, None]], p.hr_extra_network_data, steps
    )


def parts_between(a: Sequence[Any], b: Sequence[Any], weight: float, mix: Mix) -> list[Any]:
    """An AND prompt's conditions on the way to another's; one that the other lacks fades with its share."""
    return [_part(one, other, weight, mix) for one, other in zip_longest(a, b)]


def stretches_between(a: Sequence[Any], b: Sequence[Any], mix: Mix) -> list[Any]:
    """Two schedules of conditionings as one: where both change during the steps, both changes happen."""
    ends = sorted({stretch.end_at_step for stretch in (*a, *b)})
    return [Stretch(end, mix(unmarked(_at(a, end)), unmarked(_at(b, end)))) for end in ends]


def unmarked(cond: Any) -> Any:
    """A conditioning without ControlNet's row, which stays in the host's cache when a request has ended."""
    if isinstance(cond, dict):
        return {**cond, "crossattn": unmarked(cond["crossattn"])}
    return cond[1:] if bool((cond[0].abs() == MARK).all()) else cond


def _total(sampler: str, steps: int) -> int:
    config = sd_samplers.find_sampler_config(sampler)
    return int(config.total_steps(steps)) if config else steps


def _mix_into(p: Any, travel: PromptTravel) -> None:
    empty = unmarked(learnt(p, [""], negative=True, conditions=False)[0][0].cond)
    texts, _ = extra_networks.parse_prompts([travel.prompt])
    other = learnt(p, texts, negative=False, conditions=True)

    def mix(a: Any, b: Any) -> Any:
        return _mix(a, b, travel.weight, travel.how, empty)

    parts = parts_between(p.c.batch[0], other.batch[0], travel.weight, mix)
    p.c = prompt_parser.MulticondLearnedConditioning(shape=p.c.shape, batch=[parts])
    negative = learnt(p, [travel.negative], negative=True, conditions=False)[0]
    p.uc = [stretches_between(p.uc[0], negative, mix)]


def _part(a: Any, b: Any, weight: float, mix: Mix) -> Any:
    shares = [0.0 if part is None else part.weight for part in (a, b)]
    one, other = a or b, b or a
    mixed = stretches_between(one.schedules, other.schedules, mix)
    return Part(mixed, shares[0] * (1 - weight) + shares[1] * weight)


def _at(stretches: Sequence[Any], end: int) -> Any:
    return next((s.cond for s in stretches if s.end_at_step >= end), stretches[-1].cond)


def _mix(a: Any, b: Any, weight: float, how: Mixing, empty: Any) -> Any:
    if isinstance(a, dict):
        # SDXL: "crossattn" (tokens, width) and "vector" (width,).
        return {name: _mix(a[name], b[name], weight, how, empty[name]) for name in a}
    if a.dim() == 2:
        length = max(len(a), len(b))
        a, b = filled(a, length, empty), filled(b, length, empty)
    return between(a, b, weight, how)


def filled(tokens: torch.Tensor, length: int, empty: torch.Tensor) -> torch.Tensor:
    """(length, width): chunks of the empty prompt behind a prompt's own, as the host fills up a batch."""
    return torch.cat([tokens, *[empty] * ((length - len(tokens)) // len(empty))])
