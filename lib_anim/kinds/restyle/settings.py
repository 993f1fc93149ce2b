# ruff: noqa: E501 (one setting, one line: tables may be wide)
"""Settings of restyling: every frame of a video or folder through img2img."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, ClassVar, Literal, get_args

from lib_anim.errors import Problem
from lib_anim.kinds.keyframed.settings import ColorCoherence, SeedBehavior
from lib_anim.kinds.prompting import prompt_track
from lib_anim.kinds.restyle.control_units import ControlUnits, Unit
from lib_anim.kinds.upscale_settings import UPSCALE, UPSCALER
from lib_anim.settings.base import Settings
from lib_anim.settings.fields import (
    Choice,
    Choices,
    Flag,
    Number,
    PathText,
    Prompts,
    Rate,
    Schedule,
    Text,
    Words,
    setting,
)
from lib_anim.settings.names import Names
from lib_anim.settings.scripts import ScriptArguments
from lib_anim.settings.sources import SourceText
from lib_anim.timeline.prompts import PromptTrack
from lib_anim.types import Fill, PromptBlend

ResizeMode = Literal["Just resize", "Crop and resize", "Resize and fill"]
TracksFollow = Literal["video", "film"]
VIDEO, PREVIOUS, ALPHA, FIRST = "video", "previous output", "alpha", "first frame"
"""Words that sources are chosen by."""

PNG_INFO = ("Prompt", "Negative prompt", "Seed", "CFG scale", "Sampler", "Steps", "Model hash")
"""What can be taken from a picture's PNG info, in img2img batch's words."""

VIDEO_GROUP, FILM, PROMPTS, SOURCES, MASK, PAINT, COHERENCE, CONTROL, PNG, SOUND = (
    "Video",
    "Film",
    "Prompts",
    "Sources",
    "Mask",
    "Painting",
    "Coherence",
    "ControlNet",
    "PNG info",
    "Sound",
)


# fmt: off
@dataclass(frozen=True, kw_only=True)
class Restyle(Settings):
    """A video or a folder of pictures, repainted frame by frame, as people know it from mov2mov and img2img batch."""

    kind: ClassVar[str] = "restyle"

    video: str = setting("", PathText(label="Video", help="The film, or the folder of pictures, whose frames are repainted.", group=VIDEO_GROUP, basic=True))
    video_start: int = setting(0, Number(label="Video start", help="First frame of the video that is used.", group=VIDEO_GROUP, whole=True, low=0, unit="frame"))
    video_stop: int = setting(-1, Number(label="Video stop", help="The frame before which it ends; -1 uses all.", group=VIDEO_GROUP, whole=True, low=-1, unit="frame"))
    video_every: int = setting(1, Number(label="Video every", help="Use every n-th frame; the length in seconds stays.", group=VIDEO_GROUP, whole=True, low=1))
    frames: int = setting(0, Number(label="Max frames", help="The film ends after so many frames; 0 takes all that the video gives.", group=FILM, whole=True, low=0, high=2_000_000, unit="frames"))
    fps: Fraction | None = setting(None, Rate(label="Movie FPS", help="Frames per second of the film: a video is resampled by time and keeps its speed, pictures are shown this fast (24).", group=FILM, unit="frames/s", optional=True, basic=True))
    width: int = setting(0, Number(label="Width", help="Width of the film; 0 follows the height and the video's shape, or is the video's own.", group=FILM, whole=True, low=0, high=8192, multiple=8, unit="px", basic=True))
    height: int = setting(0, Number(label="Height", help="Height of the film; 0 follows the width and the video's shape, or is the video's own.", group=FILM, whole=True, low=0, high=8192, multiple=8, unit="px", basic=True))
    scale: float = setting(1.0, Number(label="Resize by", help="Factor on the video's own size, where neither width nor height is given; rounded to multiples of 8.", group=FILM, low=0.05, high=8))
    resize_mode: ResizeMode = setting("Just resize", Choice(label="Resize mode", help="How a picture of another shape fills the frame: stretched, cut at the edges, or whole with its edges drawn out.", group=FILM, options=get_args(ResizeMode)))
    seed: int = setting(-1, Number(label="Seed", help="Seed of the first frame; -1 draws one and writes it down.", group=FILM, whole=True, low=-1, high=2**32 - 1, basic=True))
    bpm: float = setting(120.0, Number(label="BPM", help="Beats per minute, for `beat` and keys in beats.", group=FILM, low=1, high=1000))

    prompts: str | dict[str, str] = setting("", Prompts(label="Prompts", help="What is painted: one text, or texts by frame; `--neg` starts the negative part.", group=PROMPTS, basic=True))
    prompt_blend: PromptBlend = setting("hold", Choice(label="Prompt blend", help="Between two prompts: the first holds, both stand side by side with weights, or their conditioning is mixed along a line or an arc.", group=PROMPTS, options=get_args(PromptBlend)))
    positive: str = setting("", Text(label="Positive prefix", help="Stands before every prompt.", group=PROMPTS))
    negative: str = setting("", Text(label="Negative prompt", help="Stands after every negative prompt.", group=PROMPTS, basic=True))
    styles: tuple[str, ...] = setting((), Names(label="Styles", help="Saved styles of the WebUI, laid round every prompt in this order.", group=PROMPTS))

    init: str = setting(VIDEO, SourceText(label="Source", help="What is repainted: the video's frame, the frame painted last (at frame 0 the video's), or another picture, film or folder.", group=SOURCES, words=(VIDEO, PREVIOUS)))
    previous_weight: str = setting("0:(1)", Schedule(label="Previous weight", help="With the previous output: its share in what is repainted; the rest is the video's frame.", group=SOURCES, low=0, high=1))
    tracks_follow: TracksFollow = setting("video", Choice(label="Tracks follow", help="What frame n of other films and folders belongs to: frame n of the video, so that range, step and rate hold for them too, or frame n of the film.", group=SOURCES, options=get_args(TracksFollow)))

    mask: str = setting("", SourceText(label="Mask", help="White is repainted, black stays: a picture for all frames, a film or folder with one for each, the video's alpha, or the frame painted last.", group=MASK, words=(ALPHA, PREVIOUS)))
    mask_invert: bool = setting(False, Flag(label="Invert mask", help="Repaints what would stay.", group=MASK))
    mask_blur: str = setting("0:(4)", Schedule(label="Mask blur", help="Softens the mask's edge.", group=MASK, low=0, high=256, unit="px"))
    mask_fill: Fill = setting("original", Choice(label="Masked content", help="What the masked area starts from.", group=MASK, options=get_args(Fill)))
    mask_only: bool = setting(False, Flag(label="Only masked", help="Paints the masked area at full size by itself.", group=MASK))
    mask_padding: str = setting("0:(32)", Schedule(label="Only masked padding", help="What is painted around it.", group=MASK, whole=True, low=0, high=1024, unit="px"))

    denoising: str = setting("0:(0.75)", Schedule(label="Denoising strength", help="0 keeps the frame, 1 ignores it.", group=PAINT, low=0, high=1, basic=True))
    steps: str = setting("0:(20)", Schedule(label="Steps", help="Sampling steps of a picture painted from nothing; img2img runs its part of them.", group=PAINT, whole=True, low=1, high=1000, basic=True))
    cfg_scale: str = setting("0:(7)", Schedule(label="CFG scale", help="How strictly the prompt is followed.", group=PAINT, low=0, high=100))
    checkpoint: str = setting("", Words(label="Checkpoint", help="By frame; empty keeps the engine's.", group=PAINT, optional=True))
    vae: str = setting("", Words(label="VAE", help="By frame; empty keeps the checkpoint's own.", group=PAINT, optional=True))
    sampler: str = setting("Euler a", Words(label="Sampler", help="Sampling method, by frame.", group=PAINT))
    scheduler: str = setting("Automatic", Words(label="Schedule type", help="Spacing of the noise levels, by frame.", group=PAINT))
    clip_skip: str = setting("0:(1)", Schedule(label="Clip skip", help="Layers of the text encoder, counted from its end, at which reading stops.", group=PAINT, whole=True, low=1, high=12))
    eta: str = setting("", Schedule(label="Eta", help="Fresh noise per sampling step; empty leaves it to the sampler.", group=PAINT, low=0, high=1, optional=True))
    noise_multiplier: str = setting("0:(1)", Schedule(label="Noise multiplier", help="Factor on the initial noise; below 1 is softer.", group=PAINT, low=0, high=2))
    seed_behavior: SeedBehavior = setting("fixed", Choice(label="Seed behavior", help="How the seed goes on from frame to frame.", group=PAINT, options=get_args(SeedBehavior)))
    seed_iter_n: int = setting(1, Number(label="Seed iter N", help="With iter: frames that share a seed.", group=PAINT, whole=True, low=1, high=100_000))
    seed_schedule: str = setting("0:(s)", Schedule(label="Seed schedule", help="With schedule: the seed by frame; -1 draws one.", group=PAINT, whole=True, low=-1, high=2**32 - 1))
    subseed: str = setting("0:(1)", Schedule(label="Subseed", help="Seed of the variation.", group=PAINT, whole=True, low=0, high=2**32 - 1))
    subseed_strength: str = setting("0:(0)", Schedule(label="Subseed strength", help="How far the noise goes from the seed's to the subseed's.", group=PAINT, low=0, high=1))
    restore_faces: bool = setting(False, Flag(label="Restore faces", help="With the engine's face restoration.", group=PAINT))
    tiling: bool = setting(False, Flag(label="Tiling", help="Paints pictures that can be tiled.", group=PAINT))

    color_coherence: ColorCoherence = setting("None", Choice(label="Color coherence", help="Colour space in which each frame's colours are matched to the reference.", group=COHERENCE, options=get_args(ColorCoherence)))
    color_reference: str = setting(FIRST, SourceText(label="Color reference", help="Whose colours frames take: those of the first painted frame, of the video's frame, of the frame painted last, or of another picture, film or folder.", group=COHERENCE, words=(FIRST, VIDEO, PREVIOUS)))
    color_strength: str = setting("0:(1)", Schedule(label="Color strength", help="How far colours go to the reference's: 0 leaves them alone.", group=COHERENCE, low=0, high=1))

    units: tuple[Unit, ...] = setting((), ControlUnits(label="ControlNet units", help="Each takes its own picture for every frame; needs an engine with ControlNet.", group=CONTROL))

    scripts: dict[str, list[Any]] = setting({}, ScriptArguments(label="Scripts", help="Arguments of the WebUI's other always-on scripts by their titles, for every frame; an object {schedule: …} among them is a number that changes over time, {words: …} a word.", group=CONTROL))

    png_info: tuple[str, ...] = setting((), Choices(label="Append png info", help="What is read from what made the folder's pictures: prompts are added to the film's own, the rest replaces it at its frame.", group=PNG, options=PNG_INFO, optional=True))
    png_info_dir: str = setting("", PathText(label="PNG info directory", help="A folder with pictures of the same names that say it; empty asks the video's own pictures.", group=PNG))

    sound: str = setting("keep", Choice(label="Sound", help="Keep the video's sound, in step, or drop it.", group=SOUND, options=("keep", "none")))
    upscale: float = setting(1.0, UPSCALE)
    upscaler: str = setting("", UPSCALER)

    soundtrack: str = setting("", PathText(label="Soundtrack", help="A file whose sound the film gets instead, from its start.", group=SOUND))
    # fmt: on

    def contradictions(self) -> Iterator[Problem]:
        if self.png_info_dir and not self.png_info:
            sentence = f"nothing is read from it; say in png_info what: {', '.join(PNG_INFO)}"
            yield Problem(sentence, field="png_info_dir", code="pnginfo.invalid")

    def prompt_track(self) -> PromptTrack:
        """The prompts with the prefix and suffix that every frame gets."""
        return prompt_track(self.prompts, self.positive, self.negative, self.dialect)
