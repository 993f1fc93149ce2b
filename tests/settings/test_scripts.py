"""Arguments for the WebUI's other scripts."""

from __future__ import annotations

import pytest

from lib_anim.errors import FlipbookError
from lib_anim.kinds.restyle.settings import Restyle
from lib_anim.settings.base import from_json, to_json
from lib_anim.settings.infotext import from_infotext, to_infotext

GIVEN = {"ADetailer": [True, {"ad_model": "face"}]}


@pytest.mark.parametrize("scripts", [GIVEN, {"ADetailer": {"args": GIVEN["ADetailer"]}}])
def test_both_forms_of_arguments_are_read(scripts):
    assert Restyle(scripts=scripts).scripts == GIVEN


def test_they_survive_json_and_infotext():
    settings = Restyle(scripts=GIVEN)
    assert from_json(Restyle, to_json(settings))[0] == settings
    assert from_infotext(Restyle, to_infotext(settings))[0] == settings
    assert Restyle().scripts == {}


@pytest.mark.parametrize("scripts", ["ADetailer", {"ADetailer": True}, {"ADetailer": [float("nan")]}, [1]])
def test_what_is_none_is_refused(scripts):
    with pytest.raises(FlipbookError, match="scripts"):
        Restyle(scripts=scripts)
