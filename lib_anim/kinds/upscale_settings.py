"""Specs of the upscaling settings, shared by all painted kinds."""

from __future__ import annotations

from lib_anim.settings.fields import Number, Text

FINISH = "Finish"

UPSCALE = Number(
    label="Upscale by",
    help="Factor on the finished frames' size; the film goes on from the frames as they were painted.",
    group=FINISH,
    low=1,
    high=8,
)
UPSCALER = Text(
    label="Upscaler",
    help="One of the engine's upscalers, in the WebUI those of its Extras tab; empty is Lanczos.",
    group=FINISH,
)
