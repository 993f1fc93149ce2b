"""What is refused before any work, by an engine that can do it all."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from lib_anim.engines.contract.capabilities import Capabilities
from lib_anim.engines.contract.checks import check
from lib_anim.engines.contract.requests import ControlUnit, StillRequest
from lib_anim.errors import FlipbookError

CAN = Capabilities(
    samplers=("Euler a",),
    schedulers=("Automatic",),
    control=True,
    control_models=("canny",),
    control_modules=("none",),
)
PICTURE = np.zeros((64, 64, 3), np.float32)
UNIT = ControlUnit(model="canny", image=PICTURE)
REQUEST = StillRequest(prompt="a", width=64, height=64, seed=1, control=(UNIT,))


def test_a_unit_within_the_capabilities_passes() -> None:
    check(REQUEST, CAN)
    check(replace(REQUEST, init=PICTURE, control=(replace(UNIT, image=None),)), CAN)


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"model": "depth"}, 'no model "depth" here; it has canny'),
        ({"module": "hed"}, 'no module "hed" here; it has none'),
        ({"image": None}, "no picture"),
        ({"guidance_start": 0.8, "guidance_end": 0.5}, "0.8 … 0.5"),
        ({"guidance_end": 1.5}, "0.0 … 1.5"),
        ({"weight": 2.5}, "2.5 is out of range"),
    ],
)
def test_a_unit_outside_is_named_by_its_number(changed: dict[str, object], words: str) -> None:
    wrong = replace(UNIT, **changed)  # type: ignore[arg-type]
    with pytest.raises(FlipbookError) as caught:
        check(replace(REQUEST, control=(UNIT, wrong)), CAN)
    assert [problem.field for problem in caught.value.problems] == ["control unit 1"]
    assert words in str(caught.value)


@pytest.mark.parametrize("title", ["ControlNet", "controlnet"])
def test_controlnets_own_arguments_name_models_that_are_there(title: str) -> None:
    can = replace(CAN, scripts=("ControlNet",))
    off, reference = {"enabled": False, "model": "gone"}, {"enabled": True, "module": "reference_only"}
    check(replace(REQUEST, scripts={title: [off, reference, {"enabled": True, "model": "canny"}]}), can)
    with pytest.raises(FlipbookError, match='no ControlNet model "gone" here; it has canny') as caught:
        check(replace(REQUEST, scripts={title: [off, {"enabled": True, "model": "gone"}]}), can)
    assert [problem.field for problem in caught.value.problems] == ["scripts"]
