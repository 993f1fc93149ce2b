"""A player below the results of txt2img and img2img: films that the host's gallery cannot show."""

from __future__ import annotations

import json
from collections import OrderedDict
from pathlib import Path
from typing import Any

import gradio as gr

from lib_anim.ui import gradio_compat as majors
from lib_anim.ui.toolkit import Toolkit

PLACES = {"generation_info_txt2img": "txt2img", "generation_info_img2img": "img2img"}
"""The host's box with a result's facts, which changes with every result → its tab."""

REMEMBERED = 64

_films: OrderedDict[str, str] = OrderedDict()


def remember(infotext: str, film: Path) -> None:
    """Note the film that a result with these parameters stands for."""
    _films[infotext] = str(film)
    _films.move_to_end(infotext)
    while len(_films) > REMEMBERED:
        _films.popitem(last=False)


def film_of(generation_info: str) -> str | None:
    """The path of the film of the host's JSON about a result; None where it is no film."""
    try:
        texts = json.loads(generation_info).get("infotexts", [])
    except (ValueError, AttributeError):
        return None
    path = next((_films[text] for text in texts if text in _films), None)
    return path if path is not None and Path(path).is_file() else None


def draw_player(component: Any, **named: Any) -> None:
    """The host's `on_after_component`: puts a hidden player behind the box of facts."""
    place = PLACES.get(named.get("elem_id") or "")
    if place is None:
        return
    video = gr.Video(
        label="Film",
        visible=False,
        interactive=False,
        elem_id=Toolkit(place).elem_id("player"),
    )

    def show(generation_info: str) -> Any:
        path = film_of(generation_info)
        return majors.changed(value=path, visible=path is not None)

    component.change(show, inputs=[component], outputs=[video], **majors.quiet())
