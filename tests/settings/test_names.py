"""Names in schedules, prompts and masks are looked up when settings are built, not when a film begins."""

from __future__ import annotations

import pytest

from lib_anim.errors import FlipbookError
from lib_anim.kinds.keyframed.settings import Keyframed


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"zoom": "0:(1), 30:(foo(t))"}, 'the nearest is "floor"'),
        ({"zoom": "0:(speed)"}, '"speed"'),
        ({"prompts": {"0": "a `foo(t)` b"}}, '"foo"'),
        ({"mask_image": "m.png", "mask_expression": "{nothing}"}, "nothing"),
        ({"mask_image": "m.png", "mask_expression": '0:("{init}"), 5:("{init} &")'}, "mask_expression"),
    ],
)
def test_unknown_names_are_told_when_settings_are_built(settings, words):
    with pytest.raises(FlipbookError) as caught:
        Keyframed(**settings)
    assert words in str(caught.value)
    assert caught.value.problems[0].field == list(settings)[-1]
