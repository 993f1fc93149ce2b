"""Parameters of a picture, pasted into a form."""

from __future__ import annotations

import pytest

from lib_anim.errors import FlipbookError
from lib_anim.kinds.keyframed.settings import Keyframed
from lib_anim.kinds.restyle.settings import Restyle
from lib_anim.settings.infotext import to_infotext
from lib_anim.settings.pasting import pasted

WEBUI = """a (red:1.2) house, <lora:x:0.5>
by the sea
Negative prompt: blurry,
people
Steps: 20, Sampler: DPM++ 2M, Schedule type: Karras, CFG scale: 6.5, Seed: 77, Size: 640x384, \
Model hash: abc, Model: some, Denoising strength: 0.4, Clip skip: 2, Version: v1.10.1"""


def test_what_the_webui_writes_is_read_for_what_a_kind_has() -> None:
    values, warnings = pasted(Keyframed, WEBUI)
    assert values == {
        "prompts": "a (red:1.2) house, <lora:x:0.5>\nby the sea",
        "negative": "blurry,\npeople",
        "steps": "0:(20)",
        "sampler": "DPM++ 2M",
        "scheduler": "Karras",
        "cfg_scale": "0:(6.5)",
        "seed": 77,
        "clip_skip": "0:(2)",
        "strength": "0:(0.6)",
        "width": 640,
        "height": 384,
    }
    assert warnings == ()
    assert Keyframed(**values).seed == 77
    assert pasted(Restyle, WEBUI)[0]["denoising"] == "0:(0.4)"


def test_flipbooks_own_line_brings_every_setting() -> None:
    settings = Keyframed(frames=9, zoom="0:(1), 5:(1.2)", prompts={"0": 'a, "b"'})
    values, _ = pasted(Keyframed, f"a prompt\nSteps: 3, {to_infotext(settings)}")
    assert Keyframed(**{n: v for n, v in values.items() if n not in ("kind", "version")}) == settings


@pytest.mark.parametrize("text", ["", "a red house", "Steps to take: many"])
def test_a_text_without_parameters_is_told(text: str) -> None:
    with pytest.raises(FlipbookError, match="holds no parameters"):
        pasted(Keyframed, text)
