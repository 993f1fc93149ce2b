"""What goes wrong around a clip in a real WebUI leaves no trace in the stills after it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

pytestmark = [pytest.mark.webui, pytest.mark.timeout(900)]

HOOKS = (
    "before_process",
    "process",
    "before_process_batch",
    "process_batch",
    "process_before_every_sampling",
    "post_sample",
    "postprocess_batch",
    "postprocess_batch_list",
    "postprocess_image",
    "postprocess_image_after_composite",
    "postprocess_maskoverlay",
    "postprocess",
)


@pytest.fixture(scope="module")
def host(start_clip_webui: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A WebUI of its own: its log fills with the errors that are asked for."""
    import os

    if not os.environ.get("WEBUI_ROOT"):
        pytest.skip("needs a WebUI checkout: WEBUI_ROOT=its folder")
    webui = start_clip_webui(tmp_path_factory.mktemp("faults"), "sd-webui-controlnet")
    yield webui
    webui.stop()


def fail(host: Any, **fault: Any) -> None:
    """Make something fail during the next request, once by default."""
    assert host.request("/test-clip/fault", fault)[0] == 200


@pytest.mark.parametrize("hook", HOOKS)
def test_another_scripts_error_changes_no_still(clips: Any, host: Any, hook: str) -> None:
    before = clips.still(host)
    whole = clips.made(host, clips.CLIP)
    fail(host, hook=hook)
    status, answer = clips.ask(host, clips.CLIP)
    assert status == 200, answer
    # The host swallows it, and the film is what it is without.
    assert clips.frames_of(answer).shape == whole.shape
    assert f"the door fails in {hook}" in host.log
    assert clips.still(host) == before


@pytest.mark.parametrize("step", [0, 1])
def test_an_error_in_the_network_ends_the_request(clips: Any, host: Any, step: int) -> None:
    before = clips.still(host)
    fail(host, network="the door fails in the network", passes=step)
    status, answer = clips.ask(host, clips.CLIP)
    assert (status, "the door fails in the network" in str(answer)) == (500, True), answer
    assert clips.still(host) == before


def test_too_little_memory_once_is_worked_around_and_said(clips: Any, host: Any) -> None:
    before = clips.still(host)
    whole = clips.made(host, clips.CLIP)
    fail(host, network="out of memory", passes=0)
    frames = clips.made(host, clips.CLIP)
    assert abs(frames.astype(int) - whole).max() <= 2
    assert "AnimateDiff: Memory ran out" in host.log
    assert clips.still(host) == before


def test_too_little_memory_throughout_is_an_error(clips: Any, host: Any) -> None:
    before = clips.still(host)
    fail(host, network="out of memory", passes=0, times=99)
    status, answer = clips.ask(host, clips.CLIP)
    fail(host)
    assert (status, "out of memory" in str(answer)) == (500, True), answer
    assert clips.still(host) == before


@pytest.mark.parametrize("how", ["skip", "interrupt", "stop-generating"])
def test_a_user_who_stops_leaves_nothing_behind(clips: Any, host: Any, how: str) -> None:
    before = clips.still(host)
    done: list[Any] = []
    clip = threading.Thread(target=lambda: done.append(clips.ask(host, clips.CLIP, steps=60)))
    clip.start()
    while host.request("/sdapi/v1/progress")[1]["state"]["sampling_step"] < 2:
        assert clip.is_alive()
    path = "/test-clip/stop" if how == "stop-generating" else f"/sdapi/v1/{how}"
    host.request(path, {})
    clip.join(timeout=300)
    assert done[0][0] == 200
    assert clips.still(host) == before
