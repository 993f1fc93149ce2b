"""The always-on script, in a fake host."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest


def make_script() -> Any:
    """An instance as the host makes it."""
    from lib_anim.webui.clip.script import AnimateDiffScript

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
            make_script().ui(is_img2img)
        props = [c["props"] for c in page.get_config_file()["components"]]
        ids.append([p["elem_id"] for p in props if p.get("elem_id")])
    assert "flipbook_txt2img_animatediff" in ids[0]
    assert "flipbook_img2img_animatediff" in ids[1]
    assert not set(ids[0]) & set(ids[1])
    assert all(len(found) == len(set(found)) for found in ids)


@pytest.mark.parametrize("img2img", [False, True])
def test_paste_restores_every_control(host: Any, img2img: bool) -> None:
    gradio = pytest.importorskip("gradio")
    from lib_anim.kinds.clip.animatediff import ClipCall, to_infotext
    from lib_anim.kinds.clip.motion_settings import Motion
    from lib_anim.webui.clip.script import call_of

    motion = Motion(
        module="mm.safetensors",
        frames=24,
        fps="12",
        formats=("MP4", "WEBP"),
        context=12,
        closed_loop="A",
        motion_scale="0:(1), 8:(0.5)",
        freeinit_enable=True,
        noise_type="FreeNoise",
        **({"latent_power": 0.8, "denoising_ramp": "0:(0.5)"} if img2img else {}),
    )
    script = make_script()
    with gradio.Blocks():
        script.ui(img2img)
    found = {"AnimateDiff": to_infotext(ClipCall(motion=motion, enable=True))}
    values = [field(found) for _, field in script.infotext_fields]
    assert call_of(values, img2img=img2img) == ClipCall(motion=motion, enable=True)
    assert [field({}) for _, field in script.infotext_fields] == [None] * len(values)


def test_rows_of_the_old_extension_and_several_dicts_are_read(host: Any) -> None:
    from lib_anim.kinds.clip.animatediff import ClipCall
    from lib_anim.webui.clip.script import call_of

    row = ["mm.safetensors", True, 24, 12, 0, "R-P", 16, 1, -1, ["GIF"], "Off", 10]
    call = call_of(row, img2img=False)
    assert (call.enable, call.motion.module, call.motion.frames) == (True, "mm.safetensors", 24)
    # As the package webuiapi sends a still to a WebUI that has the accordion; the host adds its defaults.
    assert call_of([False], img2img=False) == call_of([False, "R-P", 16], img2img=True) == ClipCall()
    dicts = call_of([{"enable": True}, {"video_length": 8}, "R-P", 16], img2img=False)
    assert (dicts.enable, dicts.motion.frames) == (True, 8)


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


def test_a_wrong_key_is_refused_through_the_api(host: Any) -> None:
    from fastapi import HTTPException

    p = SimpleNamespace(is_api=True, override_settings={"sd_model_checkpoint": "another"})
    make_script().before_process(p, {"enable": True, "video_lenght": 8})
    with pytest.raises(HTTPException) as refused:
        p.setup_prompts()
    assert refused.value.status_code == 422
    assert 'the nearest is "video_length"' in str(refused.value.detail)
    assert p.override_settings == {}


def test_a_wrong_value_is_refused_on_the_page(host: Any) -> None:
    from lib_anim.errors import FlipbookError

    p = SimpleNamespace()
    make_script().before_process(p, {"enable": True, "stride": 0})
    with pytest.raises(FlipbookError, match="stride"):
        p.setup_prompts()


def test_name_is_left_to_an_enabled_rival(host: Any, tmp_path: Path) -> None:
    assert make_script().title() == "AnimateDiff"
    host.add_extension(tmp_path / "adetailer", "scripts/!adetailer.py")
    assert make_script().title() == "AnimateDiff"
    host.add_extension(tmp_path / "my animatediff", "scripts/animatediff.py")
    assert make_script().title() == "AnimateDiff (Flipbook)"


def test_a_film_that_cannot_be_written_ends_the_request(host: Any) -> None:
    from lib_anim.webui.host.errors import FailedSamples

    with pytest.raises(RuntimeError, match="could not be written: no space left"):
        getattr(FailedSamples(OSError("no space left")), "already_decoded", False)
