"""sd-webui-animatediff's values and infotext are read as they are, and written so that nothing is lost."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, reject
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from lib_anim.errors import FlipbookError
from lib_anim.kinds.clip.animatediff import (
    POSITIONS,
    ClipCall,
    from_infotext,
    key_of,
    read_args,
    read_dict,
    to_dict,
    to_infotext,
    to_list,
)
from lib_anim.kinds.clip.motion_settings import Motion
from lib_anim.settings.base import specs
from tests.settings.test_infotext import values

FEW = hypothesis_settings(max_examples=60, deadline=None)

THEIRS: dict[str, Any] = {
    "model": "mm_sd15_v3.safetensors",
    "enable": True,
    "video_length": 24,
    "fps": 12,
    "loop_number": 2,
    "closed_loop": "R+P",
    "batch_size": 8,
    "stride": 2,
    "overlap": 4,
    "format": ["GIF", "MP4", "Frame"],
    "interp": "Off",
    "interp_x": 4,
    "video_source": "/films/dance.mp4",
    "video_path": "/films/dance frames",
    "mask_path": "/films/masks",
    "freeinit_enable": True,
    "freeinit_filter": "gaussian",
    "freeinit_ds": 0.5,
    "freeinit_dt": 0.375,
    "freeinit_iters": 4,
    "latent_power": 0.8,
    "latent_scale": 64,
    "last_frame": "end.png",
    "latent_power_last": 0.9,
    "latent_scale_last": 48,
}
"""A value other than the default for every one of its keys, in the order of its values in a row."""


@st.composite
def calls(draw: st.DrawFn) -> ClipCall:
    """Any call, also with commas, colons and quotes in its texts."""
    specials = st.sampled_from(
        ["a, fps: 3", "C:\\a: b", " x", '"q"', "a,", "é\u2028漢", "model: b, enable: True"]
    )
    names = specs(Motion)
    optional = {name: values(spec) for name, spec in names.items()}
    for name in ("module", "motion_loras", "video_path", "last_frame"):
        optional[name] = optional[name] | specials
    changes = draw(st.fixed_dictionaries({}, optional=optional))
    try:
        motion = Motion(**changes)
    except FlipbookError:
        # Each value is right, but not beside the others.
        reject()
    return ClipCall(motion=motion, enable=draw(st.booleans()), request_id=draw(st.just("") | specials))


@FEW
@given(calls())
def test_infotext_brings_every_setting_back(call: ClipCall) -> None:
    assert from_infotext(to_infotext(call, mm_hash="0123abcd", version="v2.0.1")) == call


@FEW
@given(calls())
def test_a_dict_brings_every_setting_back(call: ClipCall) -> None:
    data = json.loads(json.dumps(to_dict(call)))
    assert read_args([data]) == call
    assert set(POSITIONS) <= set(data)
    # Each key by itself, as people send them by mistake.
    assert read_args([{key: value} for key, value in data.items()]) == call


def test_every_key_of_theirs_is_read() -> None:
    call = read_dict({**THEIRS, "request_id": "r7"})
    motion = call.motion
    assert (call.enable, call.request_id) == (True, "r7")
    assert tuple(THEIRS) == POSITIONS
    assert (motion.module, motion.frames, motion.context) == ("mm_sd15_v3.safetensors", 24, 8)
    assert motion.formats == ("GIF", "MP4", "Frame")
    assert motion.video == "/films/dance frames"
    unset = [
        key for key in THEIRS if key not in ("enable", "interp") and to_dict(ClipCall())[key] == THEIRS[key]
    ]
    assert unset == []
    assert {key: value for key, value in to_dict(call).items() if key in THEIRS} == THEIRS


def test_values_in_a_row_are_read() -> None:
    assert read_args(list(THEIRS.values())) == read_dict(THEIRS)
    first = {key: THEIRS[key] for key in POSITIONS[:20]}
    assert read_args(list(first.values())) == read_dict(first)
    assert to_list(read_dict(THEIRS), img2img=True) == list(THEIRS.values())
    assert to_list(read_dict(THEIRS), img2img=False) == list(first.values())
    with pytest.raises(FlipbookError, match="holds 26 values; AnimateDiff has 25"):
        read_args([*THEIRS.values(), 1])


def test_several_dicts_are_one() -> None:
    call = read_args([{"enable": True}, {"video_length": 8, "fps": 4}, {"frames": 12}])
    assert (call.enable, call.motion.frames, call.motion.fps) == (True, 12, 4)
    with pytest.raises(FlipbookError, match="mixes objects and plain values"):
        read_args([{"enable": True}, 5])


def test_nothing_asks_for_nothing() -> None:
    assert read_args([]) == ClipCall()
    assert not read_args([{}]).enable


def test_what_is_wrong_is_named_all_at_once() -> None:
    with pytest.raises(FlipbookError) as caught:
        read_dict({"enable": "maybe", "vido_length": 5, "closed_loop": "Q", "batch_size": 0, "fps": 8})
    found = {problem.field: problem.sentence for problem in caught.value.problems}
    assert set(found) == {"enable", "vido_length", "closed_loop", "batch_size"}
    assert found["vido_length"].endswith(
        '"vido_length" is not a setting of AnimateDiff; the nearest is "video_length"'
    )
    assert found["closed_loop"] == 'closed_loop: "Q" is not allowed; it takes one of "N", "R-P", "R+P", "A"'
    assert found["batch_size"].startswith("batch_size: 0 is not allowed")


def test_one_setting_under_two_names_must_agree() -> None:
    assert read_dict({"video_length": 8, "frames": 8}).motion.frames == 8
    with pytest.raises(FlipbookError, match='means the same as "video_length"'):
        read_dict({"video_length": 8, "frames": 9})


def test_film_is_said_to_be_flow() -> None:
    call = read_dict({"interp": "FILM"})
    assert call.motion.interp == "Flow"
    assert "interp" in call.warnings[0]


def test_a_last_frame_comes_as_path_or_data() -> None:
    assert read_dict({"last_frame": "a/b.png"}).motion.last_frame == "a/b.png"
    data = "iVBORw0KGgo" * 20 + "="
    call = read_dict({"last_frame": data})
    assert (call.motion.last_frame, call.last_frame_data) == ("", data)
    assert to_dict(call)["last_frame"] == data
    assert data not in to_infotext(call)


def test_infotext_of_sd_webui_animatediff_is_read() -> None:
    text = (
        "model: my, model.safetensors, video_length: 16, fps: 8, loop_number: 0, closed_loop: R-P, "
        "batch_size: 16, stride: 1, overlap: 4, interp: Off, interp_x: 10, freeinit_enable: False, "
        "mm_hash: 51af13c1, latent_power: 0.8, latent_scale: 48, latent_power_last: 1, "
        "latent_scale_last: 32, version: v2.0.1-a"
    )
    call = from_infotext(text)
    assert call.enable
    assert call.motion == Motion(
        module="my, model.safetensors", frames=16, overlap=4, latent_power=0.8, latent_scale=48
    )
    assert call.warnings == ()


def test_unknown_infotext_is_said() -> None:
    call = from_infotext("model: a.ckpt, glitter: 5, fps: 4")
    assert (call.motion.module, call.motion.fps) == ("a.ckpt", 4)
    assert "glitter" in call.warnings[0]


def test_infotext_names_what_was_always_named() -> None:
    text = to_infotext(ClipCall(enable=True))
    assert text == (
        'enable: True, model: "", video_length: 0, fps: 8, format: GIF+PNG, loop_number: 0, interp: Off, '
        "interp_x: 10, batch_size: 16, stride: 1, overlap: -1, closed_loop: R-P"
    )


def test_every_name_has_one_key() -> None:
    keys = [key_of(name) for name in specs(Motion)]
    assert len(set(keys)) == len(keys)


def test_a_newcomer_sees_few() -> None:
    assert [name for name, spec in specs(Motion).items() if spec.basic] == [
        "module",
        "frames",
        "fps",
        "formats",
    ]
