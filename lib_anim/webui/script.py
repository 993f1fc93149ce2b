"""The always-on script that stands below txt2img and img2img."""

from __future__ import annotations

from typing import Any

from modules import scripts

from lib_anim.errors import FlipbookError, Problem
from lib_anim.ui.accordion import draw_accordion, title
from lib_anim.ui.toolkit import Toolkit
from lib_anim.webui.refusal import refuse
from lib_anim.webui.rival import enabled_rival


def asks_for_film(request: Any) -> bool:
    """Whether what arrived in the script's argument wants a film.

    None comes from the page; a dict from the API, where `enable` is off unless given, as in
    sd-webui-animatediff. Anything else was meant for AnimateDiff as well, in a shape that nobody reads.
    """
    if isinstance(request, dict):
        return bool(request.get("enable"))
    return request is not None


class AnimateDiffScript(scripts.Script):  # type: ignore[misc]
    """The accordion, and the refusal of requests that it cannot carry out yet."""

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

    def before_process(self, p: Any, request: Any = None) -> None:
        """Refuses a request for a film; a request for a still passes untouched."""
        if asks_for_film(request):
            refuse(
                p,
                FlipbookError(
                    Problem(
                        "Flipbook cannot make AnimateDiff films yet; leave AnimateDiff out of the request, or"
                        " send enable: false, to get a still picture.",
                        field="AnimateDiff",
                    )
                ),
            )
