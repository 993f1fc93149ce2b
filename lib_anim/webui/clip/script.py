"""The always-on script that stands below txt2img and img2img."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache, partial
from typing import Any

import gradio as gr
from modules import scripts

from lib_anim.errors import FlipbookError
from lib_anim.kinds.clip.animatediff import NAME, ClipCall, from_infotext, read_args, read_dict
from lib_anim.kinds.clip.motion_settings import Motion
from lib_anim.settings.base import specs
from lib_anim.ui import controls
from lib_anim.ui.toolkit import Toolkit
from lib_anim.webui.clip.accordion import AUTOMATIC, ENABLE, Modules, draw_accordion, order, title
from lib_anim.webui.clip.axes import with_axes
from lib_anim.webui.clip.steps import clip_of
from lib_anim.webui.host.conflicting_extension import enabled_conflicting_extension
from lib_anim.webui.host.errors import Failure, refuse


def call_of(args: Sequence[Any], *, img2img: bool) -> ClipCall:
    """What arrived in the script's arguments: from the page, or a request of the API.

    Dicts come first where there are any; what follows them are defaults that the host filled in. A row of
    values is in the accordion's order, which begins with sd-webui-animatediff's. Raises FlipbookError.
    """
    if args and args[0] is False:
        # What the package webuiapi sends with every still, to leave AnimateDiff off.
        return ClipCall()
    dicts = []
    for value in args:
        if not isinstance(value, Mapping):
            break
        dicts.append(value)
    if dicts:
        return read_args(dicts)
    known = specs(Motion)
    row = zip(order(img2img=img2img), args, strict=False)
    return read_dict(
        {
            name: controls.read(known[name], value) if name in known else value
            for name, value in row
            if value is not None and not (name == "module" and value == AUTOMATIC)
        }
    )


class AnimateDiffScript(scripts.Script):  # type: ignore[misc]
    """The accordion, and the clips that requests make with it."""

    def title(self) -> str:
        """Also the key in the API's `alwayson_scripts`, where a rival keeps the name that its users send."""
        return title(enabled_conflicting_extension())

    def show(self, is_img2img: bool) -> Any:
        """Always there, in both tabs."""
        return scripts.AlwaysVisible

    def ui(self, is_img2img: bool) -> list[Any]:
        """Draws the accordion. The host calls this several times for one page: nothing is registered here."""
        # torch and the host's models come with these; a test of this file's rules needs neither.
        from lib_anim.webui.clip.motion_files import module_names, module_sentence, refresh_button

        toolkit = Toolkit("img2img" if is_img2img else "txt2img", refresh_button)
        conflicting = enabled_conflicting_extension()
        drawn = draw_accordion(
            toolkit, conflicting, Modules(module_names, module_sentence), img2img=is_img2img
        )
        if not conflicting:
            names = order(img2img=is_img2img)
            self.infotext_fields = [
                (control, partial(pasted, name)) for name, control in zip(names, drawn, strict=True)
            ]
        return drawn

    def before_process(self, p: Any, *args: Any) -> None:
        """Makes the request a clip when it asks for one; a request for a still passes untouched."""
        if _is_copy(p):
            return
        try:
            call = with_axes(call_of(args, img2img=bool(self.is_img2img)), p)
            if call.enable:
                _begin(p, call)
        except FlipbookError as error:
            refuse(p, error)
        except Exception as error:
            # The host would print it and paint a still in the film's place.
            refuse(p, error)
            raise

    def before_process_batch(self, p: Any, *args: Any, **kwargs: Any) -> None:
        """Prepares noise and latents of a clip's batch."""
        clip = clip_of(p)
        if clip is not None:
            with clip.watched():
                clip.begin_batch()

    def process_before_every_sampling(self, p: Any, *args: Any, **kwargs: Any) -> None:
        """Prepares one sampling of a clip."""
        clip = clip_of(p)
        if clip is not None:
            with clip.watched():
                clip.begin_sampling(kwargs["noise"])

    def post_sample(self, p: Any, ps: Any, *args: Any) -> None:
        """Hands the latents of a clip to where its frames go; the host gets one picture to go on with."""
        clip = clip_of(p)
        if clip is not None:
            try:
                ps.samples = clip.output.take(clip, p, ps.samples)
            except Exception as error:
                # The host would print it and hand out stills in the film's place.
                ps.samples = Failure(error)
                raise

    def postprocess_batch_list(self, p: Any, pp: Any, *args: Any, **kwargs: Any) -> None:
        """Leaves the host's loop over pictures nothing: frames have been through all that it does."""
        clip = clip_of(p)
        if clip is not None and clip.output.batches > p.iteration:
            pp.images = []

    def postprocess(self, p: Any, processed: Any, *args: Any) -> None:
        """Puts the films where the page and the API look for results."""
        if _is_copy(p):
            return
        clip = clip_of(p)
        if clip is not None and clip.output.batches:
            clip.output.show(clip, p, processed)
        if clip is not None:
            clip.leave()


def _is_copy(p: Any) -> bool:
    """Whether p is a copy of a clip's request: ADetailer ends and begins one around the frames it paints."""
    clip = clip_of(p)
    return clip is not None and not clip.steers(p)


def _begin(p: Any, call: ClipCall) -> None:
    from lib_anim.webui.clip.call import task_of
    from lib_anim.webui.clip.films import ClipFilms
    from lib_anim.webui.clip.host_clip import HostClip
    from lib_anim.webui.clip.motion_files import rack

    clip = clip_of(p)
    if clip is not None:
        # Of a picture before this one that did not come to its end.
        clip.leave()
    warnings: list[str] = []
    films = ClipFilms(call, (p.prompt, p.negative_prompt), warnings)
    task = task_of(p, call, warnings.append)
    try:
        HostClip(p, task, rack(), films, warnings.append).take_over()
    except Exception:
        task.pictures.close()
        raise


def pasted(name: str, found: Mapping[str, Any]) -> Any:
    """What the control of a setting shows for pasted parameters; None leaves it as it is."""
    text = found.get(NAME)
    if not text:
        return None
    call = _call_of_infotext(str(text))
    if call is None:
        return None
    if name == ENABLE:
        return call.enable
    spec = specs(Motion)[name]
    shown = controls.shown(spec, spec.to_json(getattr(call.motion, name)))
    if name == "module":
        return shown or AUTOMATIC
    # An upload's path means nothing to the page that pastes it.
    return None if name in ("video_source", "last_frame") else shown


@lru_cache(maxsize=4)
def _call_of_infotext(text: str) -> ClipCall | None:
    try:
        return from_infotext(text)
    except FlipbookError as error:
        # Parameters of an older or a foreign film: what cannot be read is left as it is, and said.
        gr.Warning(f"AnimateDiff's parameters were not taken over: {error}")
        return None
