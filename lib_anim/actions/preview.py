"""Write a film's camera motion as a small film, before anything is rendered."""

from __future__ import annotations

from pathlib import Path

from lib_anim.actions.settings_files import Loaded
from lib_anim.errors import FlipbookError, Problem
from lib_anim.jobs.run.frame_writer import to_uint8
from lib_anim.jobs.run.open_inputs import probe
from lib_anim.jobs.run.runner import Listener
from lib_anim.kinds.base import MotionPreview
from lib_anim.kinds.events import Progress, Warned
from lib_anim.kinds.registry import find_kind
from lib_anim.media.write import open_sink


def preview(loaded: Loaded, film: Path, listen: Listener) -> MotionPreview:
    """Write the motion of settings on a checkerboard, at the film's own rate. Raises FlipbookError."""
    kind = find_kind(loaded.settings.kind)
    if kind.motion_preview is None:
        sentence = f"a {kind.name} film has no camera to preview"
        raise FlipbookError(Problem(sentence, field="kind", code="preview.no_camera"))
    made = kind.motion_preview(loaded.settings, probe)
    for sentence in (*loaded.warnings, *made.warnings):
        listen(Warned(sentence))
    with open_sink(film, width=made.size[0], height=made.size[1], rate=made.rate) as sink:
        for index, picture in enumerate(made.pictures):
            sink.write(to_uint8(picture))
            listen(Progress(index + 1, made.frames, "preview"))
    return made
