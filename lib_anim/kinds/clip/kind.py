"""The record of AnimateDiff clips."""

from __future__ import annotations

from lib_anim.engines.contract.engine import ClipPainter
from lib_anim.kinds.base import PaintedKind, sound_file
from lib_anim.kinds.clip.inputs import needs_of
from lib_anim.kinds.clip.loop import ClipState, run
from lib_anim.kinds.clip.plan import make_draft, plan
from lib_anim.kinds.clip.settings import Clip

CLIP = PaintedKind(
    name="clip",
    title="Clip (AnimateDiff)",
    settings=Clip,
    prompts=Clip.prompt_track,
    picture_input="init_image",
    offer=ClipPainter,
    needs=needs_of,
    plan=plan,
    make_draft=make_draft,
    run=run,
    state=ClipState,
    soundtrack=lambda plan: sound_file(plan.settings.soundtrack),
    denoised_as_one=(
        "a clip is denoised as one, so a range of its frames cannot be re-rendered; render the clip again"
    ),
    clip_output=lambda plan: plan.settings,
)
