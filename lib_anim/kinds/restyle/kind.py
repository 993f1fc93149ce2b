"""The record of restyling: img2img over every frame of a film."""

from __future__ import annotations

from pathlib import Path

from lib_anim.kinds.base import Importer, PaintedKind, sound_file
from lib_anim.kinds.needs import SoundNeed
from lib_anim.kinds.restyle import mov2mov
from lib_anim.kinds.restyle.draft import make_draft
from lib_anim.kinds.restyle.loop import RestyleState, run, state_before
from lib_anim.kinds.restyle.plan import RestylePlan, plan
from lib_anim.kinds.restyle.settings import Restyle
from lib_anim.kinds.restyle.tracks import needs_of


def _soundtrack(plan: RestylePlan) -> SoundNeed | None:
    """The soundtrack, or the video's own sound from where the film begins."""
    s = plan.settings
    if s.soundtrack or s.sound == "none" or not plan.sounds:
        return sound_file(s.soundtrack)
    return SoundNeed(path=Path(s.video), start=plan.sound_start)


RESTYLE = PaintedKind(
    name="restyle",
    title="Restyle a film",
    settings=Restyle,
    importers=(Importer(name="mov2mov", recognises=mov2mov.is_mov2mov, read=mov2mov.read),),
    prompts=Restyle.prompt_track,
    film_input="video",
    needs=needs_of,
    plan=plan,
    make_draft=make_draft,
    run=run,
    state=RestyleState,
    soundtrack=_soundtrack,
    film_level_settings=(
        *("video", "video_start", "video_stop", "video_every"),
        *("frames", "fps", "width", "height", "scale", "sound", "soundtrack", "upscale", "upscaler"),
    ),
    state_before=state_before,
)
