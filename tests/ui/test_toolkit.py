"""What a host lends to the views."""

from __future__ import annotations

from lib_anim.ui.toolkit import Toolkit


def test_ids_differ_between_places() -> None:
    ids = {Toolkit(place).elem_id("animatediff") for place in ("txt2img", "img2img", "tab")}
    assert ids == {
        "flipbook_txt2img_animatediff",
        "flipbook_img2img_animatediff",
        "flipbook_tab_animatediff",
    }
