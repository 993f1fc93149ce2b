"""Select the motion module of a clip."""

from __future__ import annotations

from collections.abc import Sequence

from lib_anim.engines.contract.capabilities import MotionChoice
from lib_anim.errors import FlipbookError, NotFound, Problem

NO_MODULE = (
    "there is no motion module; put one, such as v3_sd15_mm.ckpt (guoyww/animatediff on huggingface.co),"
    " into the WebUI's models/AnimateDiff or into a folder animatediff next to the checkpoint"
)


def chosen_module(wanted: str, choices: Sequence[MotionChoice], field: str = "module") -> MotionChoice:
    """The module of that name, with or without its ending; the first that fits where none is named.

    Raises NotFound when there is none, FlipbookError when it does not fit; `field` is what it is called where
    it was asked for.
    """
    if not wanted:
        fitting = [choice for choice in choices if not choice.why_not]
        if fitting:
            return fitting[0]
        if not choices:
            raise NotFound(Problem(NO_MODULE, field=field, code="model.motion_module"))
        why = "; ".join(choice.why_not for choice in choices)
        raise FlipbookError(
            Problem(f"no motion module fits this checkpoint: {why}", field=field, code="model.motion_module")
        )
    for choice in choices:
        # People name files with and without their ending, and the old extension wrote both.
        if choice.name.lower() == wanted.lower() or _stem(choice.name) == _stem(wanted):
            if choice.why_not:
                raise FlipbookError(Problem(choice.why_not, field=field, code="model.motion_module"))
            return choice
    have = ", ".join(choice.name for choice in choices) or "none"
    raise NotFound(
        Problem(
            f'there is no motion module "{wanted}"; there is {have}',
            field=field,
            code="model.motion_module",
        )
    )


def _stem(name: str) -> str:
    for ending in (".safetensors", ".ckpt", ".pth", ".pt"):
        if name.lower().endswith(ending):
            return name[: -len(ending)].lower()
    return name.lower()
