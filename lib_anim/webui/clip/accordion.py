"""The AnimateDiff accordion below txt2img and img2img."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import gradio as gr

from lib_anim.errors import FlipbookError
from lib_anim.kinds.clip.animatediff import IN_TXT2IMG, KEYS, POSITIONS
from lib_anim.kinds.clip.motion_settings import LATENTS, Motion
from lib_anim.media.probe import probe
from lib_anim.settings.base import specs
from lib_anim.settings.fields import Choices
from lib_anim.ui import controls
from lib_anim.ui import gradio_compat as majors
from lib_anim.ui.toolkit import Toolkit

TITLE = "AnimateDiff"
"""The accordion's name, and the name by which requests of the HTTP API reach it."""

TITLE_WITH_CONFLICT = "AnimateDiff (Flipbook)"
"""Its name while another extension answers to `TITLE`."""

AUTOMATIC = "Automatic"
"""In the list of motion modules: the first one that fits the checkpoint. The setting is empty then."""

ENABLE = "enable"
"""The one control that is no setting of a clip: whether the request makes one."""

CONFLICT_NOTICE = """\
**The extension {conflicting} is installed and enabled.** It makes the films, in its own accordion and for \
requests of the HTTP API; Flipbook is inactive here.

To use Flipbook, disable {conflicting} under Extensions and restart the WebUI. Flipbook accepts the same \
requests, finds the same motion modules and reads the films' parameters.
"""

MORE = {
    "Clip": "More of the clip",
    "Output": "Films: loops, order, in-betweens",
    "Context": "Long clips: windows and closed loop",
    "FreeInit": "FreeInit",
    "Noise": "Noise",
    "Motion": "Motion: strength, LoRA, prompts between keys",
    "Source": "Video source and masks",
    "Latents": "Pictures: latent power and scale, last frame",
}
"""Group of settings → what its own accordion says."""


@dataclass(frozen=True)
class Modules:
    """What the host knows of motion modules."""

    names: Callable[[], Sequence[str]]
    """Asked when the page is drawn and whenever the list is refreshed."""
    sentence: Callable[[str], str]
    """What a module is and whether it fits, in one sentence."""


def title(conflicting: str | None) -> str:
    """The accordion's name; `rival` names the enabled extension that answers to AnimateDiff, if any."""
    return TITLE_WITH_CONFLICT if conflicting else TITLE


def order(*, img2img: bool) -> tuple[str, ...]:
    """Names of the accordion's values as the host hands them on: `enable` and settings of `Motion`.

    First sd-webui-animatediff's in its own order, so that rows of values written for it fit; then the rest.
    """
    theirs = [KEYS.get(key, key) for key in (POSITIONS if img2img else POSITIONS[:IN_TXT2IMG])]
    own = [
        name
        for name, spec in specs(Motion).items()
        if name not in theirs and (img2img or spec.group != LATENTS)
    ]
    return (*theirs, *own)


def draw_accordion(
    toolkit: Toolkit, conflicting: str | None, modules: Modules, *, img2img: bool
) -> list[Any]:
    """Draws the closed accordion into the current Gradio context; answers its controls in `order`.

    A newcomer sees the switch, the motion module, frames, rate and formats; everything else is in accordions
    of its own below. Beside a rival there is only a text, and a value that is never set.
    """
    with gr.Accordion(title(conflicting), open=False, elem_id=toolkit.elem_id("animatediff")):
        if conflicting:
            gr.Markdown(
                CONFLICT_NOTICE.format(conflicting=conflicting), elem_id=toolkit.elem_id("animatediff_text")
            )
            return [gr.State(None)]
        drawn = _Drawn(toolkit, modules)
        drawn.first()
        wanted = order(img2img=img2img)
        for group, words in MORE.items():
            names = [n for n, s in specs(Motion).items() if s.group == group and not s.basic and n in wanted]
            if names:
                drawn.group(group, words, names)
        drawn.follow_uploads()
        return [drawn.controls[name] for name in wanted]


class _Drawn:
    def __init__(self, toolkit: Toolkit, modules: Modules) -> None:
        self.controls: dict[str, Any] = {}
        self._toolkit = toolkit
        self._modules = modules
        self._fresh = Motion()

    def first(self) -> None:
        """The five that everybody needs."""
        names = [AUTOMATIC, *self._modules.names()]
        with gr.Row():
            self.controls[ENABLE] = gr.Checkbox(
                label="Enable AnimateDiff", value=False, elem_id=self._id(ENABLE)
            )
            self._draw("formats")
        with gr.Row():
            spec = specs(Motion)["module"]
            module = gr.Dropdown(
                label=spec.label,
                choices=names,
                value=AUTOMATIC,
                allow_custom_value=True,
                elem_id=self._id("module"),
            )
            self.controls["module"] = module
            if self._toolkit.refresh_button is not None:
                self._toolkit.refresh_button(
                    module, lambda: [AUTOMATIC, *self._modules.names()], self._id("module_refresh")
                )
            for name in ("frames", "fps"):
                self._draw(name)
        sentence = gr.Markdown(self._modules.sentence(AUTOMATIC), elem_id=self._id("module_sentence"))
        module.change(self._modules.sentence, inputs=[module], outputs=[sentence], **majors.quiet())

    def group(self, group: str, words: str, names: Sequence[str]) -> None:
        """One closed accordion with the controls of a group, two in a row."""
        with gr.Accordion(words, open=False, elem_id=self._id(f"group_{group.lower()}")):
            for start in range(0, len(names), 2):
                with gr.Row():
                    for name in names[start : start + 2]:
                        self._draw(name)

    def follow_uploads(self) -> None:
        """A video that is uploaded says how many frames the clip has and how fast they go."""
        source = self.controls["video_source"]
        outputs = [self.controls["frames"], self.controls["fps"]]
        source.upload(_frames_and_rate, inputs=[source], outputs=outputs, **majors.quiet())

    def _draw(self, name: str) -> None:
        spec = specs(Motion)[name]
        elem_id = self._id(name)
        if name == "video_source":
            self.controls[name] = gr.Video(label=spec.label, elem_id=elem_id)
        elif name == "last_frame":
            self.controls[name] = gr.Image(label=spec.label, type="filepath", elem_id=elem_id)
        else:
            value = spec.to_json(getattr(self._fresh, name))
            if isinstance(spec, Choices):
                # Frame is for the API's answer alone.
                spec = replace(spec, options=tuple(word for word in spec.options if word != "Frame"))
            self.controls[name] = controls.draw(spec, value, elem_id)

    def _id(self, name: str) -> str:
        return self._toolkit.elem_id(f"animatediff_{name}")


def _frames_and_rate(path: str | None) -> tuple[Any, Any]:
    """What the controls of frames and FPS show for a video; they stay as they are where it cannot be read."""
    try:
        found = probe(path) if path else None
    except FlipbookError as error:
        gr.Warning(str(error))
        found = None
    if found is None or found.frames is None or found.rate is None:
        return majors.changed(), majors.changed()
    return found.frames, str(found.rate)
