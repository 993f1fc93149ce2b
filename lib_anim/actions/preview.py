"""A look at a film's motion before it is rendered."""

from __future__ import annotations

from pathlib import Path

from lib_anim.actions.settings_files import Loaded
from lib_anim.errors import FlipbookError, Problem
from lib_anim.jobs.run.frame_writer import to_uint8
from lib_anim.jobs.run.open_inputs import look
from lib_anim.jobs.run.runner import Listener
from lib_anim.kinds.events import Progress, Warned
from lib_anim.kinds.keyframed.plan import KeyframedPlan, plan
from lib_anim.kinds.keyframed.preview import motion_preview
from lib_anim.kinds.keyframed.settings import Keyframed
from lib_anim.media.write import open_sink

LONGER_SIDE = 256
"""Pixels: enough to see a camera move, and 240 frames in seconds."""


def preview(loaded: Loaded, film: Path, listen: Listener) -> KeyframedPlan:
    """Write the motion of keyframed settings on a checkerboard as a small film at the film's own rate.

    No engine paints, so samplers and checkpoints are not looked at. Returns the plan. Raises FlipbookError.
    """
    settings = loaded.settings
    if not isinstance(settings, Keyframed):
        raise FlipbookError(Problem(f"a {settings.kind} film has no camera to preview", field="kind"))
    if settings.mode != "2D":
        raise FlipbookError(Problem(f"{settings.mode} has no camera to preview", field="mode"))
    # Pictures and masks do not move the camera, and may not be there yet.
    resolved = plan(settings.changed({"mask_video": ""}), None, 0, look)
    for sentence in (*loaded.warnings, *resolved.warnings):
        listen(Warned(sentence))
    scale = LONGER_SIDE / max(settings.width, settings.height)
    width, height = (max(2, round(side * scale / 2) * 2) for side in (settings.width, settings.height))
    with open_sink(film, width=width, height=height, rate=settings.fps) as sink:
        for index, picture in enumerate(motion_preview(resolved, width, height)):
            sink.write(to_uint8(picture))
            listen(Progress(index + 1, resolved.frames, "preview"))
    return resolved
