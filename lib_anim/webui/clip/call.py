"""Converts the clip settings of the accordion or the API into a `ClipTask`."""

from __future__ import annotations

import base64
import binascii
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, UnidentifiedImageError

from lib_anim.errors import FlipbookError, Problem, under_field
from lib_anim.imaging.mask import from_luminance
from lib_anim.kinds.clip.animatediff import ClipCall
from lib_anim.kinds.clip.inputs import EFFECT_MASK, SCALE_MASK
from lib_anim.kinds.clip.motion_settings import Motion
from lib_anim.kinds.clip.steering import prompts_close, ramp_of, steering_of
from lib_anim.kinds.curves import evaluate
from lib_anim.media.pictures import read_picture
from lib_anim.timeline.context import Context
from lib_anim.timeline.prompts import Travel, parse_prompts
from lib_anim.types import Mask
from lib_anim.webui.clip.prompts import ClipPrompts, FramePrompts, frame_prompts
from lib_anim.webui.clip.source import ClipSource
from lib_anim.webui.clip.task import ClipTask


def task_of(p: Any, call: ClipCall, warn: Callable[[str], None]) -> ClipTask:
    """The task for a txt2img or img2img request of the host; opens the files that the settings name.

    `warn` receives one sentence for each setting that is interpreted differently from how it is written.
    Raises FlipbookError.
    """
    motion = call.motion
    for sentence in call.warnings:
        warn(sentence)
    img2img = hasattr(p, "init_images")
    last = _last_picture(call) if img2img else None
    masks = [_luminance_mask(motion, field) for field in (SCALE_MASK, EFFECT_MASK)]
    source = ClipSource(motion)
    try:
        frames = source.length(motion)
        context = Context(
            frames=frames, fps=motion.fps, seed=max(int(p.seed), 0), width=p.width, height=p.height
        )
        denoised = max(frames, motion.context) if motion.full_context else frames
        curves = evaluate(motion, context)
        if curves.problems:
            raise FlipbookError(*curves.problems)
        for sentence in curves.warnings:
            warn(sentence)
        padding = denoised - frames
        numbers = {name: np.pad(values, (0, padding), mode="edge") for name, values in curves.numbers.items()}
        ramp = numbers.get("denoising_ramp")
        return ClipTask(
            frames=frames,
            denoised=denoised,
            steering=steering_of(motion, numbers, *masks),
            prompts=_prompts(p, motion, context, padding, warn),
            pictures=source,
            denoising=None if ramp is None or not img2img else tuple(ramp.tolist()),
            # A denoising ramp or a video replaces the latent ramp, as in every engine.
            ramp=ramp_of(motion) if img2img and not (motion.denoising_ramp or motion.video) else None,
            last=last,
        )
    except FlipbookError:
        source.close()
        raise


def _prompts(
    p: Any, motion: Motion, context: Context, padding: int, warn: Callable[[str], None]
) -> ClipPrompts:
    def travel(text: str, field: str) -> tuple[Travel, ...]:
        track = parse_prompts(text, field=field)
        found = tuple(track.travel(context, closed=prompts_close(motion, context.frames)))
        for sentence in track.warnings(context):
            warn(sentence)
        return (*found, *found[-1:] * padding)

    def both(prompt: str, negative: str, kind: str = "") -> tuple[FramePrompts, FramePrompts]:
        return frame_prompts(travel(prompt, f"{kind}prompt"), travel(negative, f"{kind}negative_prompt"))

    hires = None
    if getattr(p, "enable_hr", False):
        own = p.hr_prompt or p.prompt, p.hr_negative_prompt or p.negative_prompt
        if own != (p.prompt, p.negative_prompt):
            hires = both(*own, "hr_")
    return ClipPrompts(*both(p.prompt, p.negative_prompt), motion.prompt_interpolation, hires)


def _last_picture(call: ClipCall) -> Image.Image | None:
    if call.last_frame_data:
        parts = call.last_frame_data.partition("base64,")
        try:
            picture = Image.open(io.BytesIO(base64.b64decode(parts[2] or parts[0])))
            picture.load()
        except (binascii.Error, UnidentifiedImageError, OSError) as error:
            sentence = "this is not a picture in base64; use a PNG or JPEG in base64, or a path"
            problem = Problem(sentence, field="last_frame", code="file.unreadable")
            raise FlipbookError(problem) from error
        return picture
    path = call.motion.last_frame
    return Image.fromarray(_read(path, "last_frame")) if path else None


def _luminance_mask(motion: Motion, field: str) -> Mask | None:
    """(h, w) float32 luminance of a picture in [0, 1]; None without a path."""
    path = getattr(motion, field)
    if not path:
        return None
    return from_luminance(_read(path, field)[..., :3].astype(np.float32) / np.float32(255))


def _read(path: str, field: str) -> np.ndarray:
    with under_field(field):
        return read_picture(Path(path))
