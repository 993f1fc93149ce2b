"""Requests for clips of a real WebUI, and what is read off their answers."""

from __future__ import annotations

import base64
import hashlib
import io
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

BASE = {
    "prompt": "a red house",
    "negative_prompt": "blue",
    "seed": 7,
    "steps": 2,
    "width": 64,
    "height": 64,
    "sampler_name": "Euler a",
}
CLIP = {"enable": True, "video_length": 4, "batch_size": 4, "format": ["GIF", "Frame"]}


def ask(host: Any, clip: dict[str, Any], mode: str = "txt2img", **changes: Any) -> tuple[int, Any]:
    """Status and answer of a request with these AnimateDiff arguments; `also` are other scripts'."""
    also = changes.pop("also", {})
    body = {**BASE, **changes, "alwayson_scripts": {"AnimateDiff": {"args": [clip]}, **also}}
    status, answer = host.request(f"/sdapi/v1/{mode}", body)
    return status, answer


def frames_of(answer: Any) -> np.ndarray:
    """(frames, H, W, 3) of an answer with `Frame`."""
    raw = [base64.b64decode(text) for text in answer["images"]]
    pictures = [np.asarray(Image.open(io.BytesIO(r)).convert("RGB")) for r in raw if r[:3] != b"GIF"]
    return np.stack(pictures)


def made(host: Any, clip: dict[str, Any], mode: str = "txt2img", **changes: Any) -> np.ndarray:
    """Frames of a request that succeeds."""
    status, answer = ask(host, clip, mode, **changes)
    assert status == 200, answer
    return frames_of(answer)


def still(host: Any) -> str:
    """Hash of the pixels of a fixed still."""
    status, answer = host.request("/sdapi/v1/txt2img", BASE)
    assert status == 200, answer
    picture = Image.open(io.BytesIO(base64.b64decode(answer["images"][0])))
    return hashlib.sha256(np.asarray(picture).tobytes()).hexdigest()


def seen(host: Any) -> Any:
    """What `clip_door` has seen since it was asked last."""
    return host.request("/test-clip/seen")[1]


def png(picture: np.ndarray) -> str:
    """A picture as requests carry it."""
    file = io.BytesIO()
    Image.fromarray(picture).save(file, format="png")
    return base64.b64encode(file.getvalue()).decode()


def folder_of(place: Path, levels: list[int], size: int = 64) -> str:
    """A folder of plain pictures, one of each grey level."""
    place.mkdir()
    for number, level in enumerate(levels):
        Image.new("RGB", (size, size), (level,) * 3).save(place / f"{number:03}.png")
    return str(place)
