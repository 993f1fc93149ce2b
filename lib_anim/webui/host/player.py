"""Video player below the results of txt2img and img2img for films that the host's gallery cannot show."""

from __future__ import annotations

import json
from collections import OrderedDict
from pathlib import Path
from typing import Any

import gradio as gr

from lib_anim.ui import gradio_compat
from lib_anim.ui.toolkit import Toolkit

TABS = {"generation_info_txt2img": "txt2img", "generation_info_img2img": "img2img"}
"""Element id of the host's generation info, which changes with every result → its tab."""

MAX_FILMS = 64

_films: OrderedDict[str, str] = OrderedDict()


def remember(infotext: str, film: Path) -> None:
    """Store the film of the result with this infotext."""
    _films[infotext] = str(film)
    _films.move_to_end(infotext)
    while len(_films) > MAX_FILMS:
        _films.popitem(last=False)


def film_of(generation_info: str) -> str | None:
    """Path of the film for the host's generation info (JSON); None where the result is not a film."""
    try:
        texts = json.loads(generation_info).get("infotexts", [])
    except (ValueError, AttributeError):
        return None
    path = next((_films[text] for text in texts if text in _films), None)
    return path if path is not None and Path(path).is_file() else None


def draw_player(component: Any, **named: Any) -> None:
    """The host's `on_after_component`: add a hidden player after the generation info."""
    tab = TABS.get(named.get("elem_id") or "")
    if tab is None:
        return
    video = gr.Video(
        label="Film",
        visible=False,
        interactive=False,
        elem_id=Toolkit(tab).elem_id("player"),
    )

    def show(generation_info: str) -> Any:
        path = film_of(generation_info)
        return gradio_compat.changed(value=path, visible=path is not None)

    component.change(show, inputs=[component], outputs=[video], **gradio_compat.quiet())
