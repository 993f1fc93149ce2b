"""The record of keyframed animation."""

from __future__ import annotations

from lib_anim.kinds.base import Importer, PaintedKind, sound_file
from lib_anim.kinds.keyframed.deforum import importer
from lib_anim.kinds.keyframed.draft import make_draft, run
from lib_anim.kinds.keyframed.inputs import needs_of
from lib_anim.kinds.keyframed.loop import LoopState
from lib_anim.kinds.keyframed.plan import plan
from lib_anim.kinds.keyframed.preview import motion_preview
from lib_anim.kinds.keyframed.settings import Keyframed

KEYFRAMED = PaintedKind(
    name="keyframed",
    title="Keyframed animation",
    settings=Keyframed,
    importers=(Importer(name="Deforum", recognises=importer.is_deforum, read=importer.read),),
    prompts=Keyframed.prompt_track,
    motion_preview=motion_preview,
    picture_input="init_image",
    needs=needs_of,
    plan=plan,
    make_draft=make_draft,
    run=run,
    state=LoopState,
    soundtrack=lambda plan: sound_file(plan.settings.soundtrack),
    backwards=lambda plan: plan.settings.init_last,
    film_level_settings=(
        *("frames", "fps", "width", "height", "soundtrack", "init_last", "upscale", "upscaler"),
    ),
)
