"""Saved styles round every prompt, as the WebUI lays them."""

from __future__ import annotations

import pytest

from lib_anim.engines.contract.capabilities import Capabilities, Style
from lib_anim.kinds.styles import chosen_styles, styled
from lib_anim.timeline.prompts import FramePrompt, Travel

CAN = Capabilities(
    samplers=(),
    schedulers=(),
    styles={"ink": Style("{prompt}, ink on paper", "colour"), "night": Style(" at night ", "")},
)


@pytest.mark.parametrize(
    ("names", "positive", "negative"),
    [
        ([], "a fox ", "fog"),
        (["ink"], "a fox , ink on paper", "fog, colour"),
        (["night"], "a fox, at night", "fog"),
        (["ink", "night"], "a fox , ink on paper, at night", "fog, colour"),
        (["night", "ink"], "a fox, at night, ink on paper", "fog, colour"),
    ],
)
def test_both_ends_of_a_travel_get_the_styles_in_order(names, positive, negative):
    styles = chosen_styles(names, CAN, [])
    ends = FramePrompt("a fox ", "fog"), FramePrompt("", "")
    (place,) = styled([Travel(*ends, 0.25)], styles)
    assert (place.before.positive, place.before.negative, place.weight) == (positive, negative, 0.25)
    assert ("ink on paper" in place.after.positive) == ("ink" in names)


def test_an_unknown_style_is_named_with_those_that_are_there():
    problems = []
    assert chosen_styles(["ink", "oil"], CAN, problems) == (CAN.styles["ink"],)
    assert [p.sentence for p in problems] == [
        'styles: "oil" is not a style of this engine; it has ink, night'
    ]
    problems.clear()
    chosen_styles(["oil"], Capabilities(samplers=(), schedulers=()), problems)
    assert problems[0].message == '"oil" is not a style of this engine; it has none'
