"""The always-on script, in a fake host."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

FILM = {"enable": True, "video_length": 16}


def make_script() -> Any:
    """An instance as the host makes it."""
    from lib_anim.webui.script import AnimateDiffScript

    return AnimateDiffScript()


def test_stands_in_both_tabs(host: Any) -> None:
    script = make_script()
    assert script.show(False) is host.scripts.AlwaysVisible
    assert script.show(True) is host.scripts.AlwaysVisible


def test_each_tab_has_ids_of_its_own(host: Any) -> None:
    gradio = pytest.importorskip("gradio")
    ids = []
    for is_img2img in (False, True):
        with gradio.Blocks() as page:
            (argument,) = make_script().ui(is_img2img)
        assert argument.value is None
        ids += [
            c["props"]["elem_id"] for c in page.get_config_file()["components"] if c["type"] == "accordion"
        ]
    assert ids == ["flipbook_txt2img_animatediff", "flipbook_img2img_animatediff"]


@pytest.mark.parametrize("request_of_still", [None, {}, {"enable": False}, {"video_length": 16}])
def test_still_passes_untouched(host: Any, request_of_still: Any) -> None:
    p = SimpleNamespace(is_api=True, override_settings={"CLIP_stop_at_last_layers": 2})
    before = dict(vars(p))
    make_script().before_process(p, request_of_still)
    assert vars(p) == before


def test_still_passes_when_the_host_gives_no_argument(host: Any) -> None:
    p = SimpleNamespace()
    make_script().before_process(p)
    assert vars(p) == {}


def test_film_is_refused_through_the_api(host: Any) -> None:
    from fastapi import HTTPException

    p = SimpleNamespace(is_api=True, override_settings={"sd_model_checkpoint": "another"})
    make_script().before_process(p, FILM)
    with pytest.raises(HTTPException) as refused:
        p.setup_prompts()
    assert refused.value.status_code == 422
    assert str(refused.value.detail).startswith("AnimateDiff: Flipbook cannot make AnimateDiff films yet; ")
    assert p.override_settings == {}


def test_film_is_refused_on_the_page(host: Any) -> None:
    from lib_anim.errors import FlipbookError

    p = SimpleNamespace()
    make_script().before_process(p, FILM)
    with pytest.raises(FlipbookError, match="cannot make AnimateDiff films yet"):
        p.setup_prompts()


def test_name_is_left_to_an_enabled_rival(host: Any, tmp_path: Path) -> None:
    assert make_script().title() == "AnimateDiff"
    host.add_extension(tmp_path / "adetailer", "scripts/!adetailer.py")
    assert make_script().title() == "AnimateDiff"
    host.add_extension(tmp_path / "my animatediff", "scripts/animatediff.py")
    assert make_script().title() == "AnimateDiff (Flipbook)"
