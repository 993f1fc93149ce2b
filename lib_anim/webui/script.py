"""The always-on script that stands below txt2img and img2img."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from modules import scripts

from lib_anim.errors import FlipbookError
from lib_anim.settings.animatediff import ClipCall, read_args
from lib_anim.ui.accordion import draw_accordion, title
from lib_anim.ui.toolkit import Toolkit
from lib_anim.webui.clip_steps import clip_of
from lib_anim.webui.refusal import refuse
from lib_anim.webui.rival import enabled_rival


def call_of(args: Sequence[Any]) -> ClipCall:
    """What arrived in the script's arguments: from the page, or a request of the API.

    Dicts come first where there are any; what follows them are defaults that the host filled in.
    """
    dicts = []
    for value in args:
        if not isinstance(value, Mapping):
            break
        dicts.append(value)
    return read_args(dicts or [value for value in args if value is not None])


class AnimateDiffScript(scripts.Script):  # type: ignore[misc]
    """The accordion, and the clips that requests make with it."""

    def title(self) -> str:
        """Also the key in the API's `alwayson_scripts`, where a rival keeps the name that its users send."""
        return title(enabled_rival())

    def show(self, is_img2img: bool) -> Any:
        """Always there, in both tabs."""
        return scripts.AlwaysVisible

    def ui(self, is_img2img: bool) -> list[Any]:
        """Draws the accordion. The host calls this several times for one page: nothing is registered here."""
        place = "img2img" if is_img2img else "txt2img"
        return [draw_accordion(Toolkit(place), enabled_rival())]

    def before_process(self, p: Any, *args: Any) -> None:
        """Makes the request a clip when it asks for one; a request for a still passes untouched."""
        try:
            call = call_of(args)
            if call.enable:
                self._begin(p, call)
        except FlipbookError as error:
            refuse(p, error)
        except Exception as error:
            # The host would print it and paint a still in the film's place.
            refuse(p, error)
            raise

    def _begin(self, p: Any, call: ClipCall) -> None:
        # torch comes with these; the host has it, a test of this file's rules need not.
        from lib_anim.webui.clip import HostClip
        from lib_anim.webui.motion_files import rack

        motion = call.motion
        HostClip(p, call, rack(), motion.frames or motion.context).take_over()

    def before_process_batch(self, p: Any, *args: Any, **kwargs: Any) -> None:
        """Prepares noise and latents of a clip's batch."""
        clip = clip_of(p)
        if clip is not None:
            clip.begin_batch()

    def process_before_every_sampling(self, p: Any, *args: Any, **kwargs: Any) -> None:
        """Prepares one sampling of a clip."""
        clip = clip_of(p)
        if clip is not None:
            clip.begin_sampling(kwargs["noise"])

    def post_sample(self, p: Any, ps: Any, *args: Any) -> None:
        """Writes the films of a clip from its latents and gives the host one picture to go on with."""
        clip = clip_of(p)
        if clip is None:
            return
        from lib_anim.webui.clip_films import first_decoded, write_films

        clip.files.append(write_films(clip, p, ps.samples))
        ps.samples = first_decoded(p, ps.samples)

    def postprocess(self, p: Any, processed: Any, *args: Any) -> None:
        """Puts the films where the page and the API look for results."""
        clip = clip_of(p)
        if clip is None or not clip.files:
            return
        from lib_anim.webui.clip_films import as_base64

        films = [path for files in clip.files for path in files.films]
        if films:
            processed.images = [as_base64(path) if p.is_api else str(path) for path in films]
        processed.images += clip.frames_as_text
