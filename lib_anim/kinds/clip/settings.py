# ruff: noqa: E501 (one setting, one line: tables may be wide)
"""Settings of clips: frames denoised together under a motion module."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar, get_args

from lib_anim.errors import Problem
from lib_anim.kinds.clip.motion_settings import Motion
from lib_anim.kinds.keyframed.settings import InitFit
from lib_anim.kinds.upscale_settings import UPSCALE, UPSCALER
from lib_anim.settings.fields import (
    Choice,
    Flag,
    Number,
    PathText,
    Prompts,
    Schedule,
    Text,
    setting,
)
from lib_anim.settings.names import Names
from lib_anim.settings.scripts import ScriptArguments
from lib_anim.timeline.prompts import PromptTrack, parse_prompts
from lib_anim.types import Fill

FILM, PROMPTS, INIT, MASK, PAINT, SOUND, CONTROL = (
    "Film",
    "Prompts",
    "Init",
    "Mask",
    "Painting",
    "Sound",
    "Control",
)


@dataclass(frozen=True, kw_only=True)
class Clip(Motion):
    """A clip under a motion module, as people know it from AnimateDiff."""

    kind: ClassVar[str] = "clip"

    # fmt: off
    width: int = setting(512, Number(label="Width", help="Width of the film.", group=FILM, whole=True, low=64, high=8192, multiple=8, unit="px", basic=True))
    height: int = setting(512, Number(label="Height", help="Height of the film.", group=FILM, whole=True, low=64, high=8192, multiple=8, unit="px", basic=True))
    seed: int = setting(-1, Number(label="Seed", help="Seed of frame 0, frame i has seed + i; -1 draws one and writes it down.", group=FILM, whole=True, low=-1, high=2**32 - 1, basic=True))
    bpm: float = setting(120.0, Number(label="BPM", help="Beats per minute, for `beat` and keys in beats.", group=FILM, low=1, high=1000))

    prompts: str | dict[str, str] = setting("", Prompts(label="Prompts", help="What is painted: text, or keys such as `16: winter` between lines for all frames; `--neg` starts the negative part.", group=PROMPTS, basic=True))
    positive: str = setting("", Text(label="Positive prefix", help="Stands before every prompt.", group=PROMPTS))
    negative: str = setting("", Text(label="Negative suffix", help="Stands after every negative prompt.", group=PROMPTS, basic=True))
    styles: tuple[str, ...] = setting((), Names(label="Styles", help="Saved styles of the WebUI, laid round every prompt in this order.", group=PROMPTS))

    init_image: str = setting("", PathText(label="Init image", help="The picture that an img2img clip starts from.", group=INIT))
    init_fit: InitFit = setting("crop", Choice(label="Init fit", help="How a picture or video of another shape fills the frame: cut at the edges, or stretched.", group=INIT, options=get_args(InitFit)))
    denoising: float = setting(0.75, Number(label="Denoising strength", help="With an init image, or a video whose frames the clip's frames start from: 0 keeps them, 1 ignores them.", group=INIT, low=0, high=1))

    mask_invert: bool = setting(False, Flag(label="Invert mask", help="Repaints what would stay.", group=MASK))
    mask_blur: float = setting(4.0, Number(label="Mask blur", help="Softens the masks' edges.", group=MASK, low=0, high=256, unit="px"))
    mask_fill: Fill = setting("original", Choice(label="Mask fill", help="What the masked area starts from.", group=MASK, options=get_args(Fill)))
    mask_only: bool = setting(False, Flag(label="Only masked", help="Paints the masked area at full size by itself.", group=MASK))
    mask_padding: int = setting(32, Number(label="Only masked padding", help="What is painted around it.", group=MASK, whole=True, low=0, high=1024, unit="px"))

    sampler: str = setting("Euler a", Text(label="Sampler", help="Sampling method.", group=PAINT, longest=100))
    scheduler: str = setting("Automatic", Text(label="Scheduler", help="Spacing of the noise levels.", group=PAINT, longest=100))
    steps: int = setting(25, Number(label="Steps", help="Sampling steps; with an init picture its part of them is run.", group=PAINT, whole=True, low=1, high=1000, basic=True))
    cfg_scale: str = setting("0:(7)", Schedule(label="CFG scale", help="How strictly the prompt is followed, by frame.", group=PAINT, low=0, high=100))
    checkpoint: str = setting("", Text(label="Checkpoint", help="Empty keeps the engine's.", group=PAINT, longest=4096))
    vae: str = setting("", Text(label="VAE", help="Empty keeps the checkpoint's own.", group=PAINT, longest=4096))
    clip_skip: int = setting(1, Number(label="Clip skip", help="Layers of the text encoder, counted from its end, at which reading stops.", group=PAINT, whole=True, low=1, high=12))
    eta: float = setting(-1.0, Number(label="Eta", help="Fresh noise per sampling step; -1 leaves it to the sampler.", group=PAINT, low=-1, high=1))
    noise_multiplier: float = setting(1.0, Number(label="Noise multiplier", help="Factor on the initial noise of img2img.", group=PAINT, low=0, high=2))
    subseed: int = setting(0, Number(label="Subseed", help="Seed of the variation, of frame 0.", group=PAINT, whole=True, low=0, high=2**32 - 1))
    subseed_strength: float = setting(0.0, Number(label="Subseed strength", help="How far the noise goes from the seed's to the subseed's.", group=PAINT, low=0, high=1))

    scripts: dict[str, list[Any]] = setting({}, ScriptArguments(label="Scripts", help="Arguments of the WebUI's always-on scripts, ControlNet among them, by their titles; without a picture of its own a ControlNet unit follows the video, frame by frame.", group=CONTROL))
    upscale: float = setting(1.0, UPSCALE)
    upscaler: str = setting("", UPSCALER)

    soundtrack: str = setting("", PathText(label="Soundtrack", help="A file whose sound the film gets.", group=SOUND))
    # fmt: on

    def contradictions(self) -> Iterator[Problem]:
        yield from super().contradictions()
        if self.video and self.init_image:
            yield Problem(
                "an init image and a video cannot be combined; remove one of them",
                field="init_image",
                code="settings.conflict",
            )
        if self.last_frame and not self.init_image:
            yield Problem("needs a first one in init_image", field="last_frame", code="settings.conflict")
        if self.mask_path and not (self.init_image or self.video):
            yield Problem(
                "needs an init image or video: what a mask keeps comes from there",
                field="mask_path",
                code="mask.needs_picture",
            )
        if self.denoising_ramp and not (self.init_image or self.video):
            yield Problem(
                "needs an init image or video to keep a part of",
                field="denoising_ramp",
                code="mask.needs_picture",
            )
        if -1 < self.eta < 0:
            yield Problem(
                f"{self.eta:g} is not a share of noise; it takes 0 to 1, or -1",
                field="eta",
                code="value.not_allowed",
            )

    def prompt_track(self) -> PromptTrack:
        """The prompts with the prefix and suffix that every frame gets."""
        if not self.positive and not self.negative:
            return parse_prompts(self.prompts, dialect=self.dialect)
        added = {"prompts": self.prompts, "positive": self.positive, "negative": self.negative}
        if isinstance(self.prompts, dict) and "prompts" in self.prompts:
            inner = self.prompts
            added["positive"] = f"{self.positive} {inner.get('positive', '')}".strip()
            added["negative"] = f"{inner.get('negative', '')} {self.negative}".strip()
            added["prompts"] = inner["prompts"]
        return parse_prompts(added, dialect=self.dialect)
