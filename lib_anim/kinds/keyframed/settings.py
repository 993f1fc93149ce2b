# ruff: noqa: E501 (one setting, one line: tables may be wide)
"""Settings of keyframed animation: a picture that moves, is repainted, and moves on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, ClassVar, Literal, get_args

from lib_anim.errors import Problem
from lib_anim.kinds.prompting import prompt_track
from lib_anim.kinds.upscale_settings import UPSCALE, UPSCALER
from lib_anim.settings.base import Settings
from lib_anim.settings.fields import (
    Choice,
    Flag,
    MaskWords,
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
from lib_anim.timeline.prompts import PromptTrack
from lib_anim.types import Border, Fill, NoiseType

Mode = Literal["2D", "Interpolation", "Video Input"]
PromptBlend = Literal["AND", "lerp", "slerp"]
BlankFrames = Literal["keep", "repaint", "stop"]
InitFit = Literal["crop", "stretch"]
ColorCoherence = Literal["None", "HSV", "LAB", "RGB"]
SeedBehavior = Literal["iter", "fixed", "random", "ladder", "alternate", "schedule"]

FILM, PROMPTS, INIT, MASK, PAINT, MOTION, COHERENCE, SOUND, CONTROL = (
    "Film",
    "Prompts",
    "Init",
    "Mask",
    "Painting",
    "Motion",
    "Coherence",
    "Sound",
    "Control",
)


@dataclass(frozen=True, kw_only=True)
class Keyframed(Settings):
    """Keyframed animation in the flat modes, as people know it from Deforum."""

    kind: ClassVar[str] = "keyframed"

    # fmt: off
    mode: Mode = setting("2D", Choice(label="Animation mode", help="2D moves the last picture and repaints it; Interpolation paints each frame from noise between the prompts; Video Input repaints each frame of a video.", group=FILM, options=get_args(Mode)))
    frames: int = setting(120, Number(label="Frames", help="Length of the film; 0 takes all frames of the video in Video Input.", group=FILM, whole=True, low=0, high=1_000_000, unit="frames", basic=True))
    fps: Fraction = setting(Fraction(15), Rate(label="FPS", help="Frames per second of the film.", group=FILM, unit="frames/s", basic=True))
    width: int = setting(512, Number(label="Width", help="Width of the film.", group=FILM, whole=True, low=64, high=8192, multiple=8, unit="px", basic=True))
    height: int = setting(512, Number(label="Height", help="Height of the film.", group=FILM, whole=True, low=64, high=8192, multiple=8, unit="px", basic=True))
    seed: int = setting(-1, Number(label="Seed", help="Seed of the first picture; -1 draws one and writes it down.", group=FILM, whole=True, low=-1, high=2**32 - 1))
    bpm: float = setting(120.0, Number(label="BPM", help="Beats per minute, for `beat` and keys in beats.", group=FILM, low=1, high=1000))

    prompts: str | dict[str, str] = setting({"0": ""}, Prompts(label="Prompts", help="What is painted, by frame; `--neg` starts the negative part.", group=PROMPTS, basic=True))
    prompt_blend: PromptBlend = setting("AND", Choice(label="Prompt blend", help="Interpolation: both prompts side by side with weights, or their conditioning mixed along a line or an arc.", group=PROMPTS, options=get_args(PromptBlend)))
    positive: str = setting("", Text(label="Positive prefix", help="Stands before every prompt.", group=PROMPTS))
    negative: str = setting("", Text(label="Negative suffix", help="Stands after every negative prompt.", group=PROMPTS, basic=True))
    styles: tuple[str, ...] = setting((), Names(label="Styles", help="Saved styles of the WebUI, laid round every prompt in this order.", group=PROMPTS))

    init_image: str = setting("", PathText(label="Init image", help="The picture that the film starts from.", group=INIT, basic=True))
    init_fit: InitFit = setting("crop", Choice(label="Init fit", help="How an init image of another shape fills the frame: cut at the edges, or stretched.", group=INIT, options=get_args(InitFit)))
    init_strength: float = setting(0.8, Number(label="Init strength", help="How much of the init image survives in frame 0: 1 keeps it, 0 ignores it.", group=INIT, low=0, high=1))
    init_last: bool = setting(False, Flag(label="Init image last", help="The film runs backwards and ends with the init image.", group=INIT))
    video: str = setting("", PathText(label="Video", help="A film, or a folder of pictures, whose frames are repainted.", group=INIT))
    video_start: int = setting(0, Number(label="Video start", help="First frame of the video that is used.", group=INIT, whole=True, low=0, unit="frame"))
    video_stop: int = setting(-1, Number(label="Video stop", help="The frame before which it ends; -1 uses all.", group=INIT, whole=True, low=-1, unit="frame"))
    video_every: int = setting(1, Number(label="Video every", help="Use every n-th frame.", group=INIT, whole=True, low=1))

    mask_image: str = setting("", PathText(label="Mask", help="A picture: white is repainted, black stays.", group=MASK))
    mask_alpha: bool = setting(False, Flag(label="Mask from alpha", help="The init image's alpha is the mask: what is opaque is repainted.", group=MASK))
    mask_video: str = setting("", PathText(label="Mask video", help="A film or folder with a mask for every frame.", group=MASK))
    mask_expression: str = setting("", MaskWords(label="Mask expression", help="Masks combined, by frame, such as {init} & !{video} or grow([box.png], 8); empty takes the mask as it is.", group=MASK, optional=True))
    noise_mask_expression: str = setting("", MaskWords(label="Noise mask expression", help="Where noise is added, by frame; empty adds it everywhere, or in the mask with Mask the noise.", group=MASK, optional=True))
    mask_invert: bool = setting(False, Flag(label="Invert mask", help="Repaints what would stay.", group=MASK))
    mask_contrast: float = setting(1.0, Number(label="Mask contrast", help="Factor on the mask's contrast.", group=MASK, low=0, high=100))
    mask_brightness: float = setting(1.0, Number(label="Mask brightness", help="Factor on the mask's values.", group=MASK, low=0, high=100))
    mask_blur: float = setting(4.0, Number(label="Mask blur", help="Softens the mask's edge.", group=MASK, low=0, high=256, unit="px"))
    mask_fill: Fill = setting("original", Choice(label="Mask fill", help="What the masked area starts from.", group=MASK, options=get_args(Fill)))
    mask_only: bool = setting(False, Flag(label="Only masked", help="Paints the masked area at full size by itself.", group=MASK))
    mask_padding: int = setting(32, Number(label="Only masked padding", help="What is painted around it.", group=MASK, whole=True, low=0, high=1024, unit="px"))
    mask_overlay: bool = setting(True, Flag(label="Overlay", help="Lays the init image or the video frame over what the mask keeps.", group=MASK))
    mask_noise: bool = setting(False, Flag(label="Mask the noise", help="Noise is added in the masked area only.", group=MASK))

    strength: str = setting("0:(0.65)", Schedule(label="Strength", help="How much of the moved last picture survives; denoising is 1 − strength.", group=PAINT, low=0, high=1, basic=True))
    steps: str = setting("0:(25)", Schedule(label="Steps", help="Sampling steps of a picture painted from nothing; img2img runs its part of them.", group=PAINT, whole=True, low=1, high=1000))
    cfg_scale: str = setting("0:(7)", Schedule(label="CFG scale", help="How strictly the prompt is followed.", group=PAINT, low=0, high=100))
    checkpoint: str = setting("", Words(label="Checkpoint", help="By frame; empty keeps the engine's.", group=PAINT, optional=True))
    vae: str = setting("", Words(label="VAE", help="By frame; empty keeps the checkpoint's own.", group=PAINT, optional=True))
    sampler: str = setting("Euler a", Words(label="Sampler", help="Sampling method, by frame.", group=PAINT))
    scheduler: str = setting("Automatic", Words(label="Scheduler", help="Spacing of the noise levels, by frame.", group=PAINT))
    clip_skip: str = setting("0:(1)", Schedule(label="Clip skip", help="Layers of the text encoder, counted from its end, at which reading stops.", group=PAINT, whole=True, low=1, high=12))
    eta: str = setting("", Schedule(label="Eta", help="Fresh noise per sampling step; empty leaves it to the sampler.", group=PAINT, low=0, high=1, optional=True))
    blank_frames: BlankFrames = setting("keep", Choice(label="Blank frames", help="What happens to a frame that comes out black or empty: it stays, it is painted again with the next seed, or the film stops there.", group=PAINT, options=get_args(BlankFrames)))
    blank_patience: int = setting(10, Number(label="Blank patience", help="With repaint: tries before the film stops.", group=PAINT, whole=True, low=1, high=1000))
    noise_multiplier: str = setting("0:(1)", Schedule(label="Noise multiplier", help="Factor on the initial noise of img2img.", group=PAINT, low=0, high=2))
    seed_behavior: SeedBehavior = setting("iter", Choice(label="Seed behavior", help="How the seed goes on after a painted frame.", group=PAINT, options=get_args(SeedBehavior)))
    seed_iter_n: int = setting(1, Number(label="Seed iter N", help="With iter: painted frames that share a seed; the first frame has one of its own.", group=PAINT, whole=True, low=1, high=100_000))
    seed_schedule: str = setting("0:(s)", Schedule(label="Seed schedule", help="With schedule: the seed by frame; -1 draws one.", group=PAINT, whole=True, low=-1, high=2**32 - 1))
    subseed: str = setting("0:(1)", Schedule(label="Subseed", help="Seed of the variation.", group=PAINT, whole=True, low=0, high=2**32 - 1))
    subseed_strength: str = setting("0:(0)", Schedule(label="Subseed strength", help="How far the noise goes from the seed's to the subseed's.", group=PAINT, low=0, high=1))

    zoom: str = setting("0:(1)", Schedule(label="Zoom", help="Scale per frame about the centre; above 1 goes in.", group=MOTION, low=1e-3, high=1000, basic=True))
    angle: str = setting("0:(0)", Schedule(label="Angle", help="Turn per frame; positive is counter-clockwise.", group=MOTION, unit="°/frame"))
    translation_x: str = setting("0:(0)", Schedule(label="Translation X", help="Shift per frame; positive moves the picture right.", group=MOTION, unit="px/frame"))
    translation_y: str = setting("0:(0)", Schedule(label="Translation Y", help="Shift per frame; positive moves the picture down.", group=MOTION, unit="px/frame"))
    center_x: str = setting("0:(0.5)", Schedule(label="Transform center X", help="Centre of turn and zoom, as part of the width.", group=MOTION))
    center_y: str = setting("0:(0.5)", Schedule(label="Transform center Y", help="Centre of turn and zoom, as part of the height.", group=MOTION))
    perspective_flip: bool = setting(False, Flag(label="Perspective flip", help="Tilts the flat picture in space.", group=MOTION))
    flip_theta: str = setting("0:(0)", Schedule(label="Perspective flip theta", help="Turn about the line of sight.", group=MOTION, unit="°/frame"))
    flip_phi: str = setting("0:(0)", Schedule(label="Perspective flip phi", help="Tilt about the horizontal axis.", group=MOTION, unit="°/frame"))
    flip_gamma: str = setting("0:(0)", Schedule(label="Perspective flip gamma", help="Tilt about the vertical axis.", group=MOTION, unit="°/frame"))
    flip_fov: str = setting("0:(53)", Schedule(label="Perspective flip FOV", help="Field of view of the flip's camera.", group=MOTION, low=1, high=179, unit="°"))
    border: Border = setting("replicate", Choice(label="Border", help="What comes in at the edges: the edge's colour, the other side, or a mirror image.", group=MOTION, options=get_args(Border)))
    cadence: int = setting(1, Number(label="Cadence", help="Every n-th frame is painted; those between are moved and blended.", group=MOTION, whole=True, low=1, high=50, unit="frames"))

    color_coherence: ColorCoherence = setting("LAB", Choice(label="Color coherence", help="Colour space in which each picture's colours are matched to the reference.", group=COHERENCE, options=get_args(ColorCoherence)))
    color_strength: str = setting("0:(1)", Schedule(label="Color strength", help="How far colours go to the reference's: 0 leaves them alone.", group=COHERENCE, low=0, high=1))
    color_reference: str = setting("", PathText(label="Color reference", help="A picture whose colours all frames take; empty takes those of frame 0.", group=COHERENCE))
    color_video: str = setting("", PathText(label="Color video", help="A film or folder whose frames give the colours.", group=COHERENCE))
    color_video_every: int = setting(1, Number(label="Color video every", help="Frames after which its next colours are taken.", group=COHERENCE, whole=True, low=1, unit="frames"))
    grayscale: bool = setting(False, Flag(label="Grayscale", help="Paints in black and white.", group=COHERENCE))
    contrast: str = setting("0:(1)", Schedule(label="Contrast", help="Factor on the moved picture's values before it is repainted.", group=COHERENCE, low=0, high=10))
    sharpen_amount: str = setting("0:(0.1)", Schedule(label="Sharpen amount", help="Unsharp mask against the blur that moving brings; 0 is off.", group=COHERENCE, low=0, high=10))
    sharpen_kernel: str = setting("0:(5)", Schedule(label="Sharpen kernel", help="Size of its Gaussian; odd.", group=COHERENCE, whole=True, low=1, high=99, unit="px"))
    sharpen_sigma: str = setting("0:(1)", Schedule(label="Sharpen sigma", help="Width of its Gaussian.", group=COHERENCE, low=0.01, high=50, unit="px"))
    sharpen_threshold: str = setting("0:(0)", Schedule(label="Sharpen threshold", help="Differences below it stay as they are.", group=COHERENCE, low=0, high=255, unit="/255"))
    noise: str = setting("0:(0.065)", Schedule(label="Noise", help="Noise mixed into the moved picture, from which new detail grows.", group=COHERENCE, low=0, high=1))
    noise_type: NoiseType = setting("perlin", Choice(label="Noise type", help="White noise everywhere, or in drifting patches.", group=COHERENCE, options=get_args(NoiseType)))
    perlin_octaves: int = setting(4, Number(label="Perlin octaves", help="Levels of detail of the patches.", group=COHERENCE, whole=True, low=1, high=7))
    perlin_persistence: float = setting(0.5, Number(label="Perlin persistence", help="Weight of each finer level relative to the previous one.", group=COHERENCE, low=0, high=1))

    scripts: dict[str, list[Any]] = setting({}, ScriptArguments(label="Scripts", help="Arguments of the WebUI's always-on scripts, ControlNet among them, by their titles, for every frame; an object {schedule: …} among them is a number that changes over time, {words: …} a word.", group=CONTROL))

    upscale: float = setting(1.0, UPSCALE)
    upscaler: str = setting("", UPSCALER)

    soundtrack: str = setting("", PathText(label="Soundtrack", help="A file whose sound the film gets.", group=SOUND))
    # fmt: on

    def contradictions(self) -> Iterator[Problem]:
        if self.mode == "Video Input" and not self.video:
            yield Problem(
                "is empty; Video Input needs the path of a film or a folder of pictures",
                field="video",
                code="settings.missing_file",
            )
        if self.mode != "Video Input" and self.frames == 0:
            yield Problem(
                f"0 is for Video Input; in {self.mode} it takes 1 or more",
                field="frames",
                code="settings.conflict",
            )
        if self.mask_alpha and not self.init_image:
            yield Problem(
                "needs an init image with alpha in init_image", field="mask_alpha", code="mask.needs_picture"
            )

    def prompt_track(self) -> PromptTrack:
        """The prompts with the prefix and suffix that every frame gets."""
        return prompt_track(self.prompts, self.positive, self.negative, self.dialect)
