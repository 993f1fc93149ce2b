"""Interpolates the host's conditionings between two prompts."""

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

WeightedCond = prompt_parser.ComposableScheduledPromptConditioning
ScheduledCond = prompt_parser.ScheduledPromptConditioning
Mix = Callable[[Any, Any], Any]
"""Mixes two conditionings of one step: (tokens, width), or SDXL's dict of `crossattn` and `vector`."""

MARKER = 1024
"""Absolute value of the marker row that sd-webui-controlnet prepends to each conditioning."""


@contextmanager
def mixed_prompts(p: Any, travel: PromptTravel | None) -> Iterator[None]:
    """Mix the request's conditionings with those of the travel's prompts inside the block.

    Patches only the request itself and removes the patch at the end. The host's cached conditionings are read
    and never written.
    """
    if travel is None or travel.weight == 0:
        yield
        return
    # The host applies only the networks of the request's own prompt.
    present = {name for name, _ in networks_in(p.prompt)}
    p.prompt += "".join(tag for name, tag in networks_in(travel.prompt) if name not in present)
    original = p.setup_conds

    def setup_conds() -> None:
        original()
        _mix_into(p, travel)

    p.setup_conds = setup_conds
    try:
        yield
    finally:
        del p.setup_conds


def networks_in(prompt: str) -> list[tuple[str, str]]:
    """(`kind:name`, whole tag) of every network tag such as `<lora:name:1>` in a prompt."""
    found = extra_networks.re_extra_net.finditer(prompt)
    return [(f"{tag[1]}:{tag[2].split(':')[0]}", tag[0]) for tag in found]


def encoded(p: Any, texts: Sequence[str], *, negative: bool, conditions: bool, hires: bool = False) -> Any:
    """Encode `texts` with the host for this request; `conditions` selects AND conditionings, else plain ones.

    Uses a separate cache, so that the host's cache keeps the request's own prompts.
    """
    parser = prompt_parser
    request = parser.SdConditioning(list(texts), width=p.width, height=p.height, is_negative_prompt=negative)
    function = parser.get_multicond_learned_conditioning if conditions else parser.get_learned_conditioning
    if not hires:
        return p.get_conds_with_caching(
            function, request, _total_steps(p.sampler_name, p.steps), [[None, None]], p.extra_network_data
        )
    request.width, request.height = p.hr_upscale_to_x, p.hr_upscale_to_y
    steps = _total_steps(p.hr_sampler_name or p.sampler_name, p.hr_second_pass_steps or p.steps)
    return p.get_conds_with_caching(
        function, request, p.firstpass_steps, [[None, None]], p.hr_extra_network_data, steps
    )


def mixed_parts(a: Sequence[Any], b: Sequence[Any], weight: float, mix: Mix) -> list[Any]:
    """Interpolate the conditions of two AND prompts; one without a counterpart is faded by its weight."""
    return [_part(one, other, weight, mix) for one, other in zip_longest(a, b)]


def mixed_schedules(a: Sequence[Any], b: Sequence[Any], mix: Mix) -> list[Any]:
    """Interpolate two schedules of conditionings; the result changes at the steps of both."""
    ends = sorted({entry.end_at_step for entry in (*a, *b)})
    return [
        ScheduledCond(end, mix(without_control_row(_cond_at(a, end)), without_control_row(_cond_at(b, end))))
        for end in ends
    ]


def without_control_row(cond: Any) -> Any:
    """A conditioning without ControlNet's marker row, which remains in the host's cache after a request."""
    if isinstance(cond, dict):
        return {**cond, "crossattn": without_control_row(cond["crossattn"])}
    return cond[1:] if bool((cond[0].abs() == MARKER).all()) else cond


def _total_steps(sampler: str, steps: int) -> int:
    config = sd_samplers.find_sampler_config(sampler)
    return int(config.total_steps(steps)) if config else steps


def _mix_into(p: Any, travel: PromptTravel) -> None:
    empty = without_control_row(encoded(p, [""], negative=True, conditions=False)[0][0].cond)
    texts, _ = extra_networks.parse_prompts([travel.prompt])
    other = encoded(p, texts, negative=False, conditions=True)

    def mix(a: Any, b: Any) -> Any:
        return _mix(a, b, travel.weight, travel.how, empty)

    parts = mixed_parts(p.c.batch[0], other.batch[0], travel.weight, mix)
    p.c = prompt_parser.MulticondLearnedConditioning(shape=p.c.shape, batch=[parts])
    negative = encoded(p, [travel.negative], negative=True, conditions=False)[0]
    p.uc = [mixed_schedules(p.uc[0], negative, mix)]


def _part(a: Any, b: Any, weight: float, mix: Mix) -> Any:
    shares = [0.0 if part is None else part.weight for part in (a, b)]
    one, other = a or b, b or a
    mixed = mixed_schedules(one.schedules, other.schedules, mix)
    return WeightedCond(mixed, shares[0] * (1 - weight) + shares[1] * weight)


def _cond_at(schedule: Sequence[Any], end: int) -> Any:
    return next((s.cond for s in schedule if s.end_at_step >= end), schedule[-1].cond)


def _mix(a: Any, b: Any, weight: float, how: Mixing, empty: Any) -> Any:
    if isinstance(a, dict):
        # SDXL: "crossattn" (tokens, width) and "vector" (width,).
        return {name: _mix(a[name], b[name], weight, how, empty[name]) for name in a}
    if a.dim() == 2:
        length = max(len(a), len(b))
        a, b = padded(a, length, empty), padded(b, length, empty)
    return between(a, b, weight, how)


def padded(tokens: torch.Tensor, length: int, empty: torch.Tensor) -> torch.Tensor:
    """(length, width): pad a prompt with chunks of the empty prompt, as the host pads a batch."""
    return torch.cat([tokens, *[empty] * ((length - len(tokens)) // len(empty))])
