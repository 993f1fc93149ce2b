"""The AnimateDiff always-on script of txt2img and img2img."""

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
from lib_anim.webui.host.errors import FailedSamples, reject


def call_of(args: Sequence[Any], *, img2img: bool) -> ClipCall:
    """Parse the script's arguments, from the page or from an API request.

    Leading dicts are settings, and the values after them defaults that the host filled in. Without dicts the
    values are in the accordion's order, which starts with sd-webui-animatediff's. Raises FlipbookError.
    """
    if args and args[0] is False:
        # The package webuiapi sends this with every still to disable AnimateDiff.
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
    """Draws the accordion and turns requests with it into clips."""

    def title(self) -> str:
        """Also the key in the API's `alwayson_scripts`; differs while sd-webui-animatediff is enabled."""
        return title(enabled_conflicting_extension())

    def show(self, is_img2img: bool) -> Any:
        """Always visible, in both tabs."""
        return scripts.AlwaysVisible

    def ui(self, is_img2img: bool) -> list[Any]:
        """Draw the accordion. Registers nothing, since the host calls this several times for one page."""
        # Imported here because it loads torch and the host's models, which tests of this file do not need.
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
        """Patch the request where it enables a clip; requests for stills are not changed."""
        if _is_copy(p):
            return
        try:
            call = with_axes(call_of(args, img2img=bool(self.is_img2img)), p)
            if call.enable:
                _start_clip(p, call)
        except FlipbookError as error:
            reject(p, error)
        except Exception as error:
            # The host would log it and render a still instead of the film.
            reject(p, error)
            raise

    def before_process_batch(self, p: Any, *args: Any, **kwargs: Any) -> None:
        """Prepare noise and latents of a clip's batch."""
        clip = clip_of(p)
        if clip is not None:
            with clip.capture_errors():
                clip.prepare_batch()

    def process_before_every_sampling(self, p: Any, *args: Any, **kwargs: Any) -> None:
        """Prepare one sampling of a clip."""
        clip = clip_of(p)
        if clip is not None:
            with clip.capture_errors():
                clip.prepare_sampling(kwargs["noise"])

    def post_sample(self, p: Any, ps: Any, *args: Any) -> None:
        """Pass the latents of a clip to its output; the host continues with one picture."""
        clip = clip_of(p)
        if clip is not None:
            try:
                ps.samples = clip.output.process_batch(clip, p, ps.samples)
            except Exception as error:
                # The host would log it and return stills instead of the film.
                ps.samples = FailedSamples(error)
                raise

    def postprocess_batch_list(self, p: Any, pp: Any, *args: Any, **kwargs: Any) -> None:
        """Empty the host's list of pictures, because the frames are already postprocessed."""
        clip = clip_of(p)
        if clip is not None and clip.output.batches > p.iteration:
            pp.images = []

    def postprocess(self, p: Any, processed: Any, *args: Any) -> None:
        """Add the films to the results of the page and the API."""
        if _is_copy(p):
            return
        clip = clip_of(p)
        if clip is not None and clip.output.batches:
            clip.output.add_results(clip, p, processed)
        if clip is not None:
            clip.detach()


def _is_copy(p: Any) -> bool:
    """Whether p is a copy of a clip's request; ADetailer processes one around each frame."""
    clip = clip_of(p)
    return clip is not None and not clip.owns(p)


def _start_clip(p: Any, call: ClipCall) -> None:
    from lib_anim.webui.clip.call import task_of
    from lib_anim.webui.clip.films import ClipFilms
    from lib_anim.webui.clip.host_clip import HostClip
    from lib_anim.webui.clip.motion_files import motion_store

    clip = clip_of(p)
    if clip is not None:
        # Left by an earlier picture of this request that failed.
        clip.detach()
    warnings: list[str] = []
    films = ClipFilms(call, (p.prompt, p.negative_prompt), warnings)
    task = task_of(p, call, warnings.append)
    try:
        HostClip(p, task, motion_store(), films, warnings.append).attach()
    except Exception:
        task.pictures.close()
        raise


def pasted(name: str, found: Mapping[str, Any]) -> Any:
    """Value of a setting's control for pasted parameters; None keeps the current value."""
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
    # Paths of uploads are not valid in another session.
    return None if name in ("video_source", "last_frame") else shown


@lru_cache(maxsize=4)
def _call_of_infotext(text: str) -> ClipCall | None:
    try:
        return from_infotext(text)
    except FlipbookError as error:
        # Parameters of another version or extension: nothing is pasted and a warning is shown.
        gr.Warning(f"AnimateDiff's parameters were not pasted: {error}")
        return None
