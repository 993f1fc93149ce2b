"""Converts a ClipRequest to a `ClipTask` and collects the clip's frames."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from typing import Any

import numpy as np
from modules import processing, shared
from PIL import Image

from lib_anim.engines.contract.requests import ClipRequest
from lib_anim.types import Picture, PromptInterpolation
from lib_anim.webui.clip.films import frame_of, latent_decoded
from lib_anim.webui.clip.host_clip import HostClip
from lib_anim.webui.clip.prompts import ClipPrompts, FramePrompt
from lib_anim.webui.clip.task import ClipTask
from lib_anim.webui.host.images import to_pil, with_full_precision


class RequestPictures:
    """The pictures and masks of a request in 8 bits, the only depth that the host supports."""

    def __init__(self, request: ClipRequest) -> None:
        self._request = request

    @property
    def video(self) -> bool:
        return self._request.init is not None

    @property
    def masks(self) -> bool:
        return self._request.mask is not None

    def frame(self, number: int) -> np.ndarray:
        assert self._request.init is not None
        return np.asarray(to_pil(self._request.init(number)))

    def mask(self, number: int) -> Image.Image | None:
        return None if self._request.mask is None else to_pil(self._request.mask(number))

    def close(self) -> None:
        """Nothing to close."""


class ClipFrames:
    """Buffers a clip's frames on disk until they are read, so memory does not grow with the clip."""

    def __init__(self) -> None:
        self.batches = 0
        self._frames: np.ndarray | None = None

    def process_batch(self, clip: HostClip, p: Any, samples: Any) -> Any:
        """Decode the shown frames; returns the first for the host, which does not process it further."""
        self.batches += 1
        cancelled = shared.state.interrupted or shared.state.skipped or shared.state.stopping_generation
        for number in range(0 if cancelled else clip.task.frames):
            frame = frame_of(clip, p, samples, number)
            if self._frames is None:
                with tempfile.TemporaryFile() as file:
                    # The memory map keeps the file open; the file is deleted with it.
                    self._frames = np.memmap(file, np.uint8, "w+", shape=(clip.task.frames, *frame.shape))
            self._frames[number] = frame
        return processing.DecodedSamples([latent_decoded(p, samples, 0)])

    def add_results(self, clip: HostClip, p: Any, processed: Any) -> None:
        """Remove the host's results; the frames are read through `pictures`."""
        processed.images = []

    def pictures(self, request: ClipRequest) -> Iterator[Picture]:
        """The frames one by one, float32 RGB in [0, 1]; pixels that a mask keeps equal the init picture's."""
        assert self._frames is not None
        for number, frame in enumerate(self._frames):
            yield with_full_precision(frame, None, None if request.init is None else request.init(number))


def task_for(request: ClipRequest) -> ClipTask:
    """The task for the request."""
    frames = request.frames
    travels = [frame.travel for frame in frames]
    positive = [
        FramePrompt(frame.prompt, travel.prompt, travel.weight) if travel else FramePrompt(frame.prompt)
        for frame, travel in zip(frames, travels, strict=True)
    ]
    negative = [
        FramePrompt(frame.negative, travel.negative, travel.weight) if travel else FramePrompt(frame.negative)
        for frame, travel in zip(frames, travels, strict=True)
    ]
    interpolation: PromptInterpolation = next(
        (travel.how for travel in travels if travel is not None), "hold"
    )
    return ClipTask(
        frames=request.shown,
        denoised=len(frames),
        steering=request.motion,
        prompts=ClipPrompts(positive, negative, interpolation),
        pictures=RequestPictures(request),
        denoising=_per_frame(tuple(frame.denoising for frame in frames))
        if request.init is not None
        else None,
        cfg_scale=_per_frame(tuple(frame.cfg_scale for frame in frames)),
        ramp=request.ramp,
        last=None if request.last is None else to_pil(request.last),
    )


def set_frame_values(p: Any, request: ClipRequest) -> None:
    """Set the seeds and the CFG scale of all frames on the host's request of frame 0."""
    p.seed = [frame.seed for frame in request.frames]
    p.subseed = [frame.subseed for frame in request.frames]
    # The per-frame scales are applied as fractions of the maximum.
    p.cfg_scale = max(frame.cfg_scale for frame in request.frames)


def _per_frame(values: tuple[float, ...]) -> tuple[float, ...] | None:
    """The values per frame; None where all are equal."""
    return values if len(set(values)) > 1 else None
