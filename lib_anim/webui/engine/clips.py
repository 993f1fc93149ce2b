"""A clip that Flipbook asks the host for, as a task, and its frames on their way back."""

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
from lib_anim.webui.clip.prompts import ClipPrompts, Way
from lib_anim.webui.clip.task import ClipTask
from lib_anim.webui.host.images import finest, to_pil


class AskedPictures:
    """The pictures and masks of a request, as 8 bits: the host takes nothing finer."""

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
        """Nothing is open."""


class ClipFrames:
    """Keeps a clip's frames on the disk until they are asked for: memory does not grow with the clip."""

    def __init__(self) -> None:
        self.batches = 0
        self._frames: np.ndarray | None = None

    def take(self, clip: HostClip, p: Any, samples: Any) -> Any:
        """Decode the frames that are shown; the host goes on with the first, and does nothing to it."""
        self.batches += 1
        cut = shared.state.interrupted or shared.state.skipped or shared.state.stopping_generation
        for number in range(0 if cut else clip.task.frames):
            frame = frame_of(clip, p, samples, number)
            if self._frames is None:
                with tempfile.TemporaryFile() as file:
                    # The map holds the file open, and with it ends the file.
                    self._frames = np.memmap(file, np.uint8, "w+", shape=(clip.task.frames, *frame.shape))
            self._frames[number] = frame
        return processing.DecodedSamples([latent_decoded(p, samples, 0)])

    def show(self, clip: HostClip, p: Any, processed: Any) -> None:
        """Nothing is shown: a film's pictures are the film's."""
        processed.images = []

    def pictures(self, request: ClipRequest) -> Iterator[Picture]:
        """The frames one by one, float32 RGB in [0, 1]; what a mask kept is exactly the init's."""
        assert self._frames is not None
        for number, frame in enumerate(self._frames):
            yield finest(frame, None, None if request.init is None else request.init(number))


def task_for(request: ClipRequest) -> ClipTask:
    """What the request means to the host."""
    frames = request.frames
    travels = [frame.travel for frame in frames]
    positive = [
        Way(frame.prompt, travel.prompt, travel.weight) if travel else Way(frame.prompt)
        for frame, travel in zip(frames, travels, strict=True)
    ]
    negative = [
        Way(frame.negative, travel.negative, travel.weight) if travel else Way(frame.negative)
        for frame, travel in zip(frames, travels, strict=True)
    ]
    how: PromptInterpolation = next((travel.how for travel in travels if travel is not None), "hold")
    return ClipTask(
        frames=request.shown,
        denoised=len(frames),
        steering=request.motion,
        prompts=ClipPrompts(positive, negative, how),
        pictures=AskedPictures(request),
        denoising=_own(tuple(frame.denoising for frame in frames)) if request.init is not None else None,
        cfg_scale=_own(tuple(frame.cfg_scale for frame in frames)),
        ramp=request.ramp,
        last=None if request.last is None else to_pil(request.last),
    )


def make_clip(p: Any, request: ClipRequest) -> None:
    """Give the host's request of frame 0 what belongs to all frames."""
    p.seed = [frame.seed for frame in request.frames]
    p.subseed = [frame.subseed for frame in request.frames]
    # The frames' own stand in shares of it.
    p.cfg_scale = max(frame.cfg_scale for frame in request.frames)


def _own(values: tuple[float, ...]) -> tuple[float, ...] | None:
    """A value for each frame; None where one holds for all."""
    return values if len(set(values)) > 1 else None
