# ruff: noqa: E501 (one setting, one line: tables may be wide)
"""Settings that steer a clip, whoever paints it: the AnimateDiff accordion and the kind `clip` share them."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal, get_args

from lib_anim.errors import FlipbookError, Problem
from lib_anim.kinds.clip.motion_blocks import read_blocks
from lib_anim.settings.base import Settings
from lib_anim.settings.fields import Choice, Choices, Flag, Number, PathText, Rate, Schedule, Text, setting
from lib_anim.types import (
    ClipNoise,
    ClosedLoop,
    ContextSchedule,
    FreeInitFilter,
    PromptInterpolation,
    WindowFusion,
)

InBetweens = Literal["Off", "Flow"]
Reverse = Literal["off", "backwards", "boomerang"]
SaveFormat = Literal["GIF", "MP4", "WEBP", "WEBM", "APNG", "PNG", "TXT", "Frame"]

CLIP, OUTPUT, CONTEXT, FREEINIT, NOISE, STRENGTH, SOURCE, LATENTS = (
    "Clip",
    "Output",
    "Context",
    "FreeInit",
    "Noise",
    "Motion",
    "Source",
    "Latents",
)


@dataclass(frozen=True, kw_only=True)
class Motion(Settings):
    """What a motion module does to a clip, and what becomes of its frames."""

    # fmt: off
    module: str = setting("", Text(label="Motion module", help="File of the motion module; empty takes the first one that fits the checkpoint.", group=CLIP, longest=4096, basic=True))
    frames: int = setting(0, Number(label="Number of frames", help="Length of the clip; 0 takes as many as the video has, without one the context batch size.", group=CLIP, whole=True, low=0, high=100_000, unit="frames", basic=True))
    fps: Fraction = setting(Fraction(8), Rate(label="FPS", help="Frames shown per second.", group=CLIP, unit="frames/s", basic=True))
    full_context: bool = setting(True, Flag(label="Full context", help="Fewer frames than the context batch size are the first ones of a clip of that size, which is what motion modules are trained for; off paints these frames alone.", group=CLIP))

    formats: tuple[SaveFormat, ...] = setting(("GIF", "PNG"), Choices(label="Save format", help="What is made of the frames: films, numbered pictures (PNG), the parameters as text (TXT); Frame adds the pictures to the API's answer.", group=OUTPUT, options=get_args(SaveFormat), basic=True))
    loop_number: int = setting(0, Number(label="Display loop number", help="How often a GIF, WebP or APNG is shown; 0 is for ever.", group=OUTPUT, whole=True, low=0, high=65_535))
    reverse: Reverse = setting("off", Choice(label="Reverse", help="The film's order: as painted, last frame first, or forth and back with the turning frames once.", group=OUTPUT, options=get_args(Reverse)))
    interp: InBetweens = setting("Off", Choice(label="Frame Interpolation", help="Flow puts pictures between the frames, moved along the optical flow.", group=OUTPUT, options=get_args(InBetweens)))
    interp_x: int = setting(10, Number(label="Interp X", help="Each frame becomes that many; the rate stays FPS, so the film gets as many times longer.", group=OUTPUT, whole=True, low=1, high=64))

    context: int = setting(16, Number(label="Context batch size", help="Frames that the motion module sees at once; modules are trained for 16 (HotShot-XL for 8).", group=CONTEXT, whole=True, low=1, high=256, unit="frames"))
    stride: int = setting(1, Number(label="Stride", help="How many spacings windows have: 1 is neighbours only, 2 adds every second frame, 3 every fourth.", group=CONTEXT, whole=True, low=1, high=8))
    overlap: int = setting(-1, Number(label="Overlap", help="Frames that neighbouring windows share; -1 is a quarter of the context batch size.", group=CONTEXT, whole=True, low=-1, high=255, unit="frames"))
    closed_loop: ClosedLoop = setting("R-P", Choice(label="Closed loop", help="How far the end leads back to the beginning: N not at all, R-P by some windows, R+P by the prompts too, A as far as it goes.", group=CONTEXT, options=get_args(ClosedLoop)))
    context_schedule: ContextSchedule = setting("uniform", Choice(label="Context schedule", help="How windows lie over a long clip: moving from step to step and round its ends, standing still, moving but ending at the ends, or side by side; views has them in motion attention alone, for the memory of the whole clip at once.", group=CONTEXT, options=get_args(ContextSchedule)))
    fusion: WindowFusion = setting("pyramid", Choice(label="Window fusion", help="Weights where windows overlap: most in a window's middle, equal, rising along the overlap, or the last window alone.", group=CONTEXT, options=get_args(WindowFusion)))

    freeinit_enable: bool = setting(False, Flag(label="Enable FreeInit", help="Samples the clip several times, each time keeping the slow frequencies of the last noise: calmer, as many times slower.", group=FREEINIT))
    freeinit_filter: FreeInitFilter = setting("butterworth", Choice(label="Filter Type", help="Shape of the low-pass filter.", group=FREEINIT, options=get_args(FreeInitFilter)))
    freeinit_ds: float = setting(0.25, Number(label="d_s", help="Frequencies in the picture that are kept, as a part of the highest.", group=FREEINIT, low=0, high=1))
    freeinit_dt: float = setting(0.25, Number(label="d_t", help="Frequencies over time that are kept, as a part of the highest.", group=FREEINIT, low=0, high=1))
    freeinit_iters: int = setting(3, Number(label="FreeInit Iterations", help="How many times the clip is sampled.", group=FREEINIT, whole=True, low=1, high=10))

    noise_type: ClipNoise = setting("per frame", Choice(label="Noise type", help="The frames' initial noise: each its own (seed + frame), partly the same for all, that of the first window repeated, or repeated and shuffled (FreeNoise).", group=NOISE, options=get_args(ClipNoise)))
    noise_shared: float = setting(0.5, Number(label="Shared noise", help="With shared: the part of the variance that all frames have in common.", group=NOISE, low=0, high=1))

    motion_scale: str = setting("0:(1)", Schedule(label="Motion scale", help="Factor on how sharply frames look at each other: below 1 moves less and smoother, above 1 more.", group=STRENGTH, low=0, high=10))
    motion_effect: str = setting("0:(1)", Schedule(label="Motion effect", help="How much of the motion module acts: 0 is none, and the frames are stills.", group=STRENGTH, low=0, high=2))
    motion_scale_mask: str = setting("", PathText(label="Motion scale mask", help="A picture: white has the full motion scale, black has 1.", group=STRENGTH))
    motion_effect_mask: str = setting("", PathText(label="Motion effect mask", help="A picture: white has the full motion effect, black has none.", group=STRENGTH))
    motion_scale_blocks: str = setting("", Text(label="Motion scale by block", help="Factors on the motion scale by block of the UNet, such as down 0: 0.5, mid: 0.8, up 3.1: 1.2; the others have 1.", group=STRENGTH, longest=1000))
    motion_effect_blocks: str = setting("", Text(label="Motion effect by block", help="Factors on the motion effect by block of the UNet, such as mid: 0, up 3: 0.5; the others have 1.", group=STRENGTH, longest=1000))
    motion_loras: str = setting("", Text(label="Motion LoRA", help="Motion LoRAs and their weights, such as v2_lora_ZoomIn:0.8, v2_lora_PanLeft.", group=STRENGTH, longest=4096))
    prompt_interpolation: PromptInterpolation = setting("slerp", Choice(label="Prompt interpolation", help="Between two prompts: along an arc, along a line, or the earlier one until the later.", group=STRENGTH, options=get_args(PromptInterpolation)))

    video_source: str = setting("", PathText(label="Video source", help="A film whose frames ControlNet or img2img take.", group=SOURCE))
    video_path: str = setting("", PathText(label="Video path", help="A folder of frames, or a film; goes before Video source.", group=SOURCE))
    mask_path: str = setting("", PathText(label="Mask path", help="A folder, film or picture of masks: white is repainted.", group=SOURCE))
    video_start: int = setting(0, Number(label="Video start", help="First frame of the video that is used.", group=SOURCE, whole=True, low=0, unit="frame"))
    video_stop: int = setting(-1, Number(label="Video stop", help="The frame before which it ends; -1 uses all.", group=SOURCE, whole=True, low=-1, unit="frame"))
    video_every: int = setting(1, Number(label="Video every", help="Use every n-th frame.", group=SOURCE, whole=True, low=1))

    latent_power: float = setting(1.0, Number(label="Latent power (img2img)", help="Frame i keeps 1 − i^power / scale of the init image; a lower power stays closer.", group=LATENTS, low=0.1, high=10))
    latent_scale: float = setting(32.0, Number(label="Latent scale (img2img)", help="Frame i keeps 1 − i^power / scale of the init image; a higher scale stays closer.", group=LATENTS, low=1, high=1000))
    last_frame: str = setting("", PathText(label="Optional last frame", help="The picture that an img2img clip ends with.", group=LATENTS))
    latent_power_last: float = setting(1.0, Number(label="Optional latent power for last frame", help="As latent power, counted from the end.", group=LATENTS, low=0.1, high=10))
    latent_scale_last: float = setting(32.0, Number(label="Optional latent scale for last frame", help="As latent scale, counted from the end.", group=LATENTS, low=1, high=1000))
    denoising_ramp: str = setting("", Schedule(label="Denoising ramp", help="Denoising by frame, of an img2img clip: 0 keeps the frame's picture, 1 ignores it; empty has one denoising for all.", group=LATENTS, low=0, high=1, optional=True))
    # fmt: on

    @property
    def scale_blocks(self) -> dict[str, float]:
        """Factors on the scale by the beginning of a place's native name. Raises FlipbookError."""
        return read_blocks(self.motion_scale_blocks, "motion_scale_blocks")

    @property
    def effect_blocks(self) -> dict[str, float]:
        """Factors on the effect by the beginning of a place's native name. Raises FlipbookError."""
        return read_blocks(self.motion_effect_blocks, "motion_effect_blocks")

    @property
    def loras(self) -> tuple[tuple[str, float], ...]:
        """The motion LoRAs with their weights, in order. Raises FlipbookError."""
        found = []
        for part in filter(None, (part.strip() for part in self.motion_loras.split(","))):
            # A weight behind the last colon; without one, or with a path's colon, the weight is 1.
            name, colon, weight = part.rpartition(":")
            number = _number(weight) if colon else None
            if colon and number is None and not re.search(r"[\\/]", weight):
                sentence = f'"{weight}" is not a weight of "{name}"; write {name}:0.8'
                raise FlipbookError(Problem(sentence, field="motion_loras", code="lora.invalid"))
            found.append((part, 1.0) if number is None else (name.strip(), number))
        return tuple(found)

    def contradictions(self) -> Iterator[Problem]:
        for name in ("loras", "scale_blocks", "effect_blocks"):
            try:
                getattr(self, name)
            except FlipbookError as error:
                yield from error.problems
        if self.formats == ("TXT",):
            yield Problem(
                "TXT alone keeps no frame; add one such as GIF or PNG",
                field="formats",
                code="settings.conflict",
            )
        if "GIF" in self.formats and self.fps > 100:
            yield Problem(
                f"a GIF shows at most 100 frames per second, not {self.fps}",
                field="fps",
                code="media.bad_rate",
            )
        if self.overlap >= self.context:
            yield Problem(
                f"{self.overlap} frames do not fit into a window of {self.context}; it takes less than context",
                field="overlap",
                code="motion.overlap",
            )
        if 0 <= self.video_stop <= self.video_start:
            yield Problem(
                f"{self.video_stop} is not after video_start ({self.video_start}); -1 uses all",
                field="video_stop",
                code="settings.conflict",
            )

    @property
    def video(self) -> str:
        """The video whose frames are used: the folder before the film; empty for none."""
        return self.video_path or self.video_source


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None
