"""Requests to an engine: one still, or all frames of a clip. Pure data."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from lib_anim.types import (
    ClipNoise,
    ClosedLoop,
    ContextSchedule,
    ControlMode,
    Fill,
    FreeInitFilter,
    Mask,
    Mixing,
    Picture,
    UnitResizeMode,
    WindowFusion,
)


@dataclass(frozen=True, kw_only=True)
class PromptTravel:
    """A second prompt whose conditioning is mixed into the first's."""

    prompt: str
    negative: str
    weight: float
    """0 … 1: the second prompt's share."""
    how: Mixing
    """lerp, or slerp token by token with linear lengths."""


@dataclass(frozen=True, kw_only=True, eq=False)
class ControlUnit:
    """One ControlNet unit of one request; names and meaning are sd-webui-controlnet's."""

    module: str = "none"
    """The preprocessor; "none" uses the picture unchanged."""
    model: str = "None"
    """A name of `Capabilities.control_models`."""
    weight: float = 1.0
    """0 … 2."""
    guidance_start: float = 0.0
    """0 … 1: fraction of the steps at which the unit starts; `guidance_end`: at which it ends."""
    guidance_end: float = 1.0
    image: Picture | None = None
    """Of any size; None uses the request's init."""
    mask: Mask | None = None
    """Of the picture's size: where the unit acts."""
    resize_mode: UnitResizeMode = "Crop and Resize"
    control_mode: ControlMode = "Balanced"
    pixel_perfect: bool = False
    """The preprocessor's resolution follows the request's size; `processor_res` is not used."""
    processor_res: int = 512
    threshold_a: float = -1.0
    """The preprocessor's own numbers; -1 takes its defaults."""
    threshold_b: float = -1.0
    low_vram: bool = False


@dataclass(frozen=True, kw_only=True, eq=False)
class StillRequest:
    """One picture to paint: txt2img without `init`, img2img with it, inpainting with `mask` too."""

    prompt: str
    negative: str = ""
    travel: PromptTravel | None = None
    width: int
    """Pixels; a multiple of `Capabilities.multiple_of`."""
    height: int
    seed: int
    """0 … 2**32 − 1; never −1 for random."""
    subseed: int = 0
    subseed_strength: float = 0.0
    """0 … 1: slerp from the seed's noise to the subseed's."""
    seed_resize_from: tuple[int, int] | None = None
    """(width, height) whose noise is pasted into the centre of this size, as in the WebUI."""
    steps: int = 20
    """As the WebUI counts: with `init`, int(min(denoising, 0.999) · steps) + 1 steps at most are run."""
    cfg_scale: float = 7.0
    sampler: str = "Euler a"
    scheduler: str = "Automatic"
    eta: float | None = None
    """None: the sampler's own (1 for ancestral samplers, 0 for DDIM)."""
    clip_skip: int = 1
    init: Picture | None = None
    denoising: float = 1.0
    """0 … 1; 1 − strength. Without `init` it has no meaning and is 1."""
    noise_multiplier: float = 1.0
    """Factor on the initial noise of img2img."""
    mask: Mask | None = None
    mask_blur: float = 0.0
    """Pixels (sigma), applied by the engine as the WebUI does."""
    fill: Fill = "original"
    only_masked: bool = False
    only_masked_padding: int = 32
    tiling: bool = False
    restore_faces: bool = False
    checkpoint: str | None = None
    """A name of `Capabilities.checkpoints`; None is the checkpoint that the engine was opened with."""
    vae: str | None = None
    control: tuple[ControlUnit, ...] = ()
    scripts: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    """Arguments for the host's other always-on scripts, by title, for example ADetailer."""


@dataclass(frozen=True, kw_only=True)
class ClipFrame:
    """One frame's own parameters in a clip; see `StillRequest` for the fields."""

    prompt: str
    negative: str = ""
    travel: PromptTravel | None = None
    seed: int
    subseed: int = 0
    cfg_scale: float = 7.0
    denoising: float = 1.0
    """A frame below the clip's highest denoising is held at its init until its own steps start."""


@dataclass(frozen=True, kw_only=True)
class FreeInit:
    """FreeInit: samples again from noise with the low frequencies of the last result (Wu et al. 2023)."""

    filter: FreeInitFilter = "butterworth"
    spatial: float = 0.25
    """Stop frequency in the picture, 0 … 1."""
    temporal: float = 0.25
    iterations: int = 3
    """Number of times that the clip is sampled."""


@dataclass(frozen=True, kw_only=True)
class LatentRamp:
    """How much of the first and the last picture a clip's frames start from; see docs/guide/clips.md."""

    power: float = 1.0
    scale: float = 32.0
    power_last: float = 1.0
    scale_last: float = 32.0


@dataclass(frozen=True, kw_only=True, eq=False)
class Steering:
    """Motion module settings of a clip, with schedules resolved to one value per frame."""

    module: str
    """A name of `Capabilities.motion_modules`."""
    loras: tuple[tuple[str, float], ...] = ()
    """Motion LoRAs with their weights."""
    context: int = 16
    """Frames that are denoised in one window."""
    stride: int = 1
    overlap: int = -1
    closed_loop: ClosedLoop = "R-P"
    schedule: ContextSchedule = "uniform"
    fusion: WindowFusion = "pyramid"
    scale: tuple[float, ...] = (1.0,)
    """One factor for all frames, or one for each."""
    effect: tuple[float, ...] = (1.0,)
    scale_mask: Mask | None = None
    """Of any size: where it is 1 the scale applies, where it is 0 the scale is 1."""
    effect_mask: Mask | None = None
    """Of any size: a factor on the effect."""
    scale_blocks: Mapping[str, float] = field(default_factory=dict)
    """Factors on the scale by place in the UNet, such as `up_blocks.3`, `down_blocks.0.motion_modules.1`."""
    effect_blocks: Mapping[str, float] = field(default_factory=dict)
    """Factors on the effect, likewise."""
    noise: ClipNoise = "per frame"
    noise_shared: float = 0.5
    """With shared: the part of the variance that all frames have in common."""
    freeinit: FreeInit | None = None


@dataclass(frozen=True, kw_only=True, eq=False)
class ClipRequest:
    """Frames to denoise together with a motion module; see `StillRequest` for the other fields."""

    frames: tuple[ClipFrame, ...]
    """All that are denoised."""
    shown: int
    """Number of frames, from the first, that are decoded and returned."""
    motion: Steering
    width: int
    height: int
    subseed_strength: float = 0.0
    steps: int = 25
    sampler: str = "Euler a"
    scheduler: str = "Automatic"
    eta: float | None = None
    clip_skip: int = 1
    noise_multiplier: float = 1.0
    init: Callable[[int], Picture] | None = None
    """Frame number → its init picture; called when needed, possibly more than once."""
    last: Picture | None = None
    """The picture that the clip ends with."""
    ramp: LatentRamp | None = None
    """None starts every frame from its init alone."""
    mask: Callable[[int], Mask] | None = None
    """Frame number → its inpainting mask."""
    mask_blur: float = 0.0
    fill: Fill = "original"
    only_masked: bool = False
    only_masked_padding: int = 32
    tiling: bool = False
    checkpoint: str | None = None
    vae: str | None = None
    scripts: Mapping[str, Sequence[Any]] = field(default_factory=dict)

    def still(self, index: int, *, pictures: bool = True) -> StillRequest:
        """Frame `index` as a request for a still; `pictures` adds its init and mask."""
        frame = self.frames[index]
        with_init = pictures and self.init is not None
        return StillRequest(
            prompt=frame.prompt,
            negative=frame.negative,
            travel=frame.travel,
            width=self.width,
            height=self.height,
            seed=frame.seed,
            subseed=frame.subseed,
            subseed_strength=self.subseed_strength,
            steps=self.steps,
            cfg_scale=frame.cfg_scale,
            sampler=self.sampler,
            scheduler=self.scheduler,
            eta=self.eta,
            clip_skip=self.clip_skip,
            init=self.init(index) if with_init and self.init is not None else None,
            denoising=frame.denoising,
            noise_multiplier=self.noise_multiplier,
            mask=self.mask(index) if with_init and self.mask is not None else None,
            mask_blur=self.mask_blur,
            fill=self.fill,
            only_masked=self.only_masked,
            only_masked_padding=self.only_masked_padding,
            tiling=self.tiling,
            checkpoint=self.checkpoint,
            vae=self.vae,
            scripts=self.scripts,
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class VideoRequest:
    """A picture to turn into a video by Stable Video Diffusion."""

    picture: Picture
    model: str
    """A name of `VideoCapabilities.models`."""
    seed: int
    frames: int = 25
    fps: int = 7
    """The frame rate that conditions the model."""
    motion_bucket: int = 127
    """Amount of motion, 1 to 255."""
    augmentation: float = 0.02
    """Noise added to the conditioning picture."""
    steps: int = 25
    sampler: str = "Euler"
    scheduler: str = "Automatic"
    cfg_scale: tuple[float, ...] = (1.0, 3.0)
    """Guidance per frame; two values are interpolated from the first frame to the last."""
