"""The AnimateDiff accordion below txt2img and img2img."""

from __future__ import annotations

import gradio as gr

from lib_anim.ui.toolkit import Toolkit

TITLE = "AnimateDiff"
"""The accordion's name, and the name by which requests of the HTTP API reach it."""

TITLE_BESIDE_RIVAL = "AnimateDiff (Flipbook)"
"""Its name while another extension answers to `TITLE`."""

COMING = """\
**There is nothing to switch on here yet.** Flipbook is installed, and pictures are made exactly as \
without it.

Coming in this place: short films from the prompt and settings above, painted with an AnimateDiff \
motion module.

- motion modules and motion LoRAs, from the folders in which you keep them already
- prompts that change along the film
- films longer than a motion module's 16 or 32 frames
- MP4, GIF, WebP or single frames, with a player below the result
"""

RIVAL_ACTS = """\
**Films are made by the extension {rival}.** It is installed and enabled, so it acts, in its own \
accordion and for requests of the HTTP API; Flipbook does nothing here and leaves it alone.

Flipbook cannot make AnimateDiff films yet. When it can, disable {rival} under Extensions and restart \
the WebUI to have Flipbook act instead.
"""


def title(rival: str | None) -> str:
    """The accordion's name; `rival` names the enabled extension that answers to AnimateDiff, if any."""
    return TITLE_BESIDE_RIVAL if rival else TITLE


def draw_accordion(toolkit: Toolkit, rival: str | None = None) -> gr.State:
    """Draws the closed accordion into the current Gradio context.

    Returns the component in which a request of the HTTP API arrives: a dict in sd-webui-animatediff's
    shape, or None from the page, where nothing can be switched on.
    """
    text = RIVAL_ACTS.format(rival=rival) if rival else COMING
    with gr.Accordion(title(rival), open=False, elem_id=toolkit.elem_id("animatediff")):
        gr.Markdown(text, elem_id=toolkit.elem_id("animatediff_text"))
        return gr.State(None)
