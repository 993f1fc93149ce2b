"""What the host and its scripts do to one picture reaches every frame of a clip, once."""

from __future__ import annotations

import base64
import io
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from benchmarks.memory import forget_peak, memory

pytestmark = [pytest.mark.webui, pytest.mark.timeout(900)]


def test_scripts_work_on_every_frame_once(clips: Any, clip_host: Any) -> None:
    clips.seen(clip_host)
    frames = clips.made(clip_host, clips.CLIP)
    assert frames[:, 0, 0].tolist() == [[100 + n, 1, 2] for n in range(4)]
    assert frames[:, 0, 1].tolist() == [[200 + n, 3, 4] for n in range(4)]
    found = clips.seen(clip_host)
    assert found["pictures"] == found["composites"] == [0, 1, 2, 3]


def test_the_film_has_the_worked_frames_too(clips: Any, clip_host: Any) -> None:
    status, answer = clips.ask(clip_host, {**clips.CLIP, "format": ["APNG", "Frame"]})
    assert status == 200, answer
    film = Image.open(io.BytesIO(base64.b64decode(answer["images"][0])))
    for number, frame in enumerate(clips.frames_of({"images": answer["images"][1:]})):
        film.seek(number)
        assert np.array_equal(np.asarray(film.convert("RGB")), frame)


def test_faces_are_restored_in_every_frame(clips: Any, clip_host: Any) -> None:
    before = clips.still(clip_host)
    clips.seen(clip_host)
    options = {"face_restoration_model": "door"}
    frames = clips.made(clip_host, clips.CLIP, restore_faces=True, override_settings=options)
    assert (frames[:, -1] == (9, 8, 7)).all()
    assert len(clips.seen(clip_host)["faces"]) == 4
    assert clips.still(clip_host) == before


def test_what_is_not_masked_stays_in_every_frame(clips: Any, clip_host: Any) -> None:
    init = np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8)
    mask = np.zeros((64, 64, 3), np.uint8)
    mask[:, 32:] = 255
    body = {
        "init_images": [clips.png(init)],
        "mask": clips.png(mask),
        "mask_blur": 0,
        "denoising_strength": 1.0,
        "inpainting_fill": 1,
    }
    for changes in ({}, {"inpaint_full_res": True, "inpaint_full_res_padding": 0}):
        frames = clips.made(clip_host, clips.CLIP, "img2img", **body, **changes).astype(int)
        assert frames.shape == (4, 64, 64, 3)
        assert (frames[:, 1:, :31] == init[None, 1:, :31]).all(), changes
        assert (np.abs(frames[:, 1:, 34:] - init[None, 1:, 34:]).mean(axis=(1, 2, 3)) > 10).all()


def test_colours_are_corrected_in_every_frame(clips: Any, clip_host: Any) -> None:
    init = np.full((64, 64, 3), (200, 40, 40), np.uint8)
    init[::2] = (180, 60, 20)
    body = {"init_images": [clips.png(init)], "denoising_strength": 1.0}
    plain = clips.made(clip_host, clips.CLIP, "img2img", **body).astype(float)
    options = {"img2img_color_correction": True}
    near = clips.made(clip_host, clips.CLIP, "img2img", **body, override_settings=options).astype(float)
    aim = init.astype(float).mean(axis=(0, 1))
    off = [np.abs(f.mean(axis=(1, 2)) - aim).mean(axis=1) for f in (plain, near)]
    assert (off[1] < off[0] / 2).all(), off


def test_batches_are_worked_on_alike(clips: Any, clip_host: Any) -> None:
    clips.seen(clip_host)
    frames = clips.made(clip_host, {**clips.CLIP, "format": ["GIF", "Frame"]}, n_iter=2)
    assert (frames[:, 0, 0, 0] >= 100).all()
    assert clips.seen(clip_host)["pictures"] == [0, 1, 2, 3] * 2


def test_hires_frames_are_worked_on(clips: Any, clip_host: Any) -> None:
    frames = clips.made(
        clip_host, clips.CLIP, enable_hr=True, hr_scale=2, hr_upscaler="Latent", denoising_strength=0.7
    )
    assert frames.shape == (4, 128, 128, 3)
    assert frames[:, 0, 0, 0].tolist() == [100, 101, 102, 103]


def test_img2img_starts_every_frame_from_the_videos(clips: Any, clip_host: Any, tmp_path: Path) -> None:
    levels = [10, 40, 70, 100, 130, 160, 190, 220]
    video = clips.folder_of(tmp_path / "video", levels)
    clip = {
        **clips.CLIP,
        "video_length": 0,
        "video_path": video,
        "motion_effect": "0:(0)",
        "full_context": False,
    }
    clip |= {"latent_power": 0.1, "latent_scale": 1000}
    body = {"init_images": [clips.png(np.zeros((64, 64, 3), np.uint8))], "denoising_strength": 0.01}
    body |= {"subseed": 1, "subseed_strength": 1e-6}
    before = clips.still(clip_host)
    whole = clips.made(clip_host, clip, "img2img", **body)
    assert len(whole) == 8
    part = clips.made(
        clip_host, {**clip, "video_start": 1, "video_stop": 8, "video_every": 3}, "img2img", **body
    )
    assert len(part) == 3
    # With one noise for all, what differs is the picture that a frame starts from.
    distances = np.abs(part[:, None, 8:].astype(float) - whole[None, :, 8:]).mean(axis=(2, 3, 4))
    assert distances.argmin(axis=1).tolist() == [1, 4, 7]
    mask = np.zeros((64, 64, 3), np.uint8)
    mask[:, 32:] = 255
    body |= {"mask": clips.png(mask), "mask_blur": 0, "denoising_strength": 1.0}
    shown = clips.made(clip_host, clip, "img2img", **body)[:, 2:, :30]
    assert (shown == np.array(levels).reshape(8, 1, 1, 1)).all()
    assert clips.still(clip_host) == before


def test_every_frame_has_its_own_mask(clips: Any, clip_host: Any, tmp_path: Path) -> None:
    place = tmp_path / "masks"
    place.mkdir()
    for number in range(4):
        mask = np.zeros((64, 64, 3), np.uint8)
        mask[:, 16 * number : 16 * number + 16] = 255
        Image.fromarray(mask).save(place / f"{number}.png")
    init = np.random.default_rng(1).integers(0, 255, (64, 64, 3), np.uint8)
    body = {"init_images": [clips.png(init)], "denoising_strength": 1.0, "mask_blur": 0}
    clip = {**clips.CLIP, "mask_path": str(place)}
    for changes in ({}, {"inpaint_full_res": True, "inpaint_full_res_padding": 0}):
        frames = clips.made(clip_host, clip, "img2img", **body, **changes).astype(int)
        changed = np.abs(frames - init)[:, 2:].mean(axis=(1, 3)).reshape(4, 4, 16).mean(axis=2)
        assert (changed.argmax(axis=1) == np.arange(4)).all(), changed
        assert (np.sort(changed, axis=1)[:, :2] < 1).all(), changed


@pytest.mark.parametrize(
    ("clip", "status", "words"),
    [
        ({"video_path": "/no/such/film.mp4"}, 404, "film.mp4"),
        ({"video_length": 9, "video_path": "VIDEO"}, 422, "3 frames, the clip needs 9"),
        ({"video_start": 5, "video_path": "VIDEO"}, 422, "3 frames"),
    ],
)
def test_a_video_that_does_not_do_is_an_error(
    clips: Any, clip_host: Any, tmp_path: Path, clip: dict[str, Any], status: int, words: str
) -> None:
    video = clips.folder_of(tmp_path / "video", [1, 2, 3])
    given = {k: video if v == "VIDEO" else v for k, v in clip.items()}
    found, answer = clips.ask(clip_host, {**clips.CLIP, **given})
    assert (found, words in answer["detail"]) == (status, True), answer


def test_img2imgs_batch_makes_a_film_of_every_picture(clips: Any, clip_host: Any, tmp_path: Path) -> None:
    """The host makes one request into picture after picture: each film is as if it were the first."""
    levels = [40, 200, 40]
    asked = {
        "folder": clips.folder_of(tmp_path / "in", levels),
        "out": str(tmp_path / "out"),
        "prompt": "0: a red house\n3: a blue tree",
        "clip": {**clips.CLIP, "format": ["PNG"], "model": "v3.safetensors"},
    }
    status, left = clip_host.request("/test-clip/batch", asked)
    assert status == 200, left
    assert left == {"prompt": asked["prompt"], "batch_size": 1, "left": []}
    films = sorted(path.parent for path in (tmp_path / "out").rglob("*.png"))
    folders = sorted(set(films))
    assert len(folders) == 3
    frames = [
        np.stack([np.asarray(Image.open(path)) for path in sorted(folder.glob("*.png"))])
        for folder in folders
    ]
    assert [len(film) for film in frames] == [4, 4, 4]
    other, same = (np.abs(frames[0].astype(int) - frames[number]).mean() for number in (1, 2))
    assert (same, other > 1) == (0, True)


@pytest.mark.slow
def test_memory_is_flat_in_length(clips: Any, clip_host: Any) -> None:
    """The host's highest memory for 32 and for 128 frames of 64 pixels differs by at most 30 MB."""
    pid = os.environ.get("WEBUI_CLIP_PID") or getattr(getattr(clip_host, "process", None), "pid", None)
    if pid is None or not Path(f"/proc/{pid}/status").is_file():
        pytest.skip("needs a WebUI that this test has started, on Linux")

    def peak(frames: int) -> float:
        forget_peak(pid)
        clip = {"enable": True, "video_length": frames, "batch_size": 8, "format": ["MP4"]}
        clips.ask(clip_host, clip, steps=1)
        return memory("VmHWM", pid)

    peak(32)
    short, long = peak(32), peak(128)
    assert long - short <= 30, (short, long)
