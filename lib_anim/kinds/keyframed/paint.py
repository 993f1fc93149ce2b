"""Paint one frame: engine request, pre- and post-processing (colour, sharpening, noise, mask overlay)."""

from __future__ import annotations

from dataclasses import dataclass

from lib_anim.engines.contract.engine import StillPainter, offer_of
from lib_anim.engines.contract.requests import PromptTravel, StillRequest
from lib_anim.imaging import mask as masks
from lib_anim.imaging.blank import blankness
from lib_anim.imaging.color import contrast, grayscale, match_colors
from lib_anim.imaging.noise import add_noise
from lib_anim.imaging.sharpen import unsharp
from lib_anim.imaging.tween import blend
from lib_anim.kinds.base import Studio
from lib_anim.kinds.keyframed.plan import KeyframedPlan
from lib_anim.kinds.prompt_blend import blended
from lib_anim.kinds.seeds import SEEDS
from lib_anim.types import Mask, Picture


@dataclass(frozen=True, kw_only=True, eq=False)
class Painted:
    """A painted frame and what became of its seed."""

    picture: Picture | None
    """None where it came out blank and the film stops."""
    seed_shift: int
    """Added to this frame's seed, and to later ones that are counted on from it: one for each time that a
    blank frame was painted again."""
    warnings: tuple[str, ...] = ()


class Painter:
    """Paints the frames of one plan with one engine."""

    def __init__(self, plan: KeyframedPlan, studio: Studio) -> None:
        self.plan = plan
        self._engine = offer_of(studio.engine, StillPainter)
        self._on_step = studio.on_step

    def paint(
        self,
        frame: int,
        init: Picture | None,
        denoising: float,
        *,
        mask: Mask | None = None,
        original: Picture | None = None,
        reference: Picture | None = None,
        seed_shift: int = 0,
    ) -> Painted:
        """Paint a frame from `init` (None: from nothing), matched to `reference`'s colours.

        Where a mask keeps something, `original` is laid over it; without one the init stays there.
        """
        settings = self.plan.settings
        warnings: list[str] = []
        if mask is not None and init is None:
            mask = None
        if mask is not None and init is not None and masks.is_blank(mask):
            warnings.append(f"frame {frame}: the mask is empty, so nothing is painted there")
            return Painted(picture=init, seed_shift=seed_shift, warnings=tuple(warnings))
        for tried in range(settings.blank_patience + 1):
            request = self.request(frame, init, denoising, mask, seed_shift)
            picture = self._engine.still(request, self._on_step)
            blank = blankness(picture)
            if blank is None or settings.blank_frames == "keep":
                break
            if settings.blank_frames == "stop" or tried == settings.blank_patience:
                warnings.append(f"frame {frame} came out {blank}; the film stops before it")
                return Painted(picture=None, seed_shift=seed_shift, warnings=tuple(warnings))
            seed_shift += 1
            again = f"is painted again with seed {self._seed(frame, seed_shift)}"
            warnings.append(f"frame {frame} came out {blank} and {again}")
        picture = self.steady(frame, picture, reference)
        if settings.grayscale:
            picture = grayscale(picture)
        if mask is not None and original is not None and settings.mask_overlay:
            picture = masks.overlay(picture, original, masks.blur(mask, settings.mask_blur))
        return Painted(picture=picture, seed_shift=seed_shift, warnings=tuple(warnings))

    def prepare(
        self, frame: int, moved: Picture, reference: Picture | None, noise_mask: Mask | None
    ) -> Picture:
        """What is done to the moved picture before it is repainted, in Deforum's order."""
        plan, settings = self.plan, self.plan.settings
        picture = self.steady(frame, moved, reference)
        if settings.grayscale:
            picture = grayscale(picture)
        picture = contrast(picture, plan.at("contrast", frame))
        picture = unsharp(
            picture,
            amount=plan.at("sharpen_amount", frame),
            kernel=int(plan.at("sharpen_kernel", frame)),
            sigma=plan.at("sharpen_sigma", frame),
            threshold=plan.at("sharpen_threshold", frame) / 255,
        )
        return add_noise(
            picture,
            plan.at("noise", frame),
            seed=plan.seeds[frame],
            kind=settings.noise_type,
            mask=noise_mask,
            octaves=settings.perlin_octaves,
            persistence=settings.perlin_persistence,
        )

    def steady(self, frame: int, picture: Picture, reference: Picture | None) -> Picture:
        """Colours brought to the reference's, as far as the schedule says."""
        amount, space = self.plan.at("color_strength", frame), self.plan.settings.color_coherence
        if space == "None" or reference is None or amount == 0:
            return picture
        matched = match_colors(picture, reference, space)
        return matched if amount == 1 else blend(picture, matched, amount)

    def request(
        self, frame: int, init: Picture | None, denoising: float, mask: Mask | None, seed_shift: int
    ) -> StillRequest:
        """What the engine is asked to paint at a frame."""
        plan, settings = self.plan, self.plan.settings
        prompt, negative, travel = self._prompt(frame)
        return StillRequest(
            prompt=prompt,
            negative=negative,
            travel=travel,
            width=settings.width,
            height=settings.height,
            seed=self._seed(frame, seed_shift),
            subseed=int(plan.at("subseed", frame)),
            subseed_strength=plan.at("subseed_strength", frame),
            steps=int(plan.at("steps", frame)),
            cfg_scale=plan.at("cfg_scale", frame),
            sampler=plan.words["sampler"][frame],
            scheduler=plan.words["scheduler"][frame],
            eta=plan.at("eta", frame) if "eta" in plan.numbers else None,
            clip_skip=int(plan.at("clip_skip", frame)),
            init=init,
            denoising=denoising if init is not None else 1.0,
            noise_multiplier=plan.at("noise_multiplier", frame),
            mask=mask,
            mask_blur=settings.mask_blur,
            fill=settings.mask_fill,
            only_masked=settings.mask_only,
            only_masked_padding=settings.mask_padding,
            checkpoint=plan.word("checkpoint", frame) or None,
            vae=plan.word("vae", frame) or None,
            scripts=plan.scripts.at(frame),
        )

    def values(self, frame: int, seed_shift: int = 0) -> dict[str, str | int | float]:
        """What made a frame, for its file's metadata."""
        plan = self.plan
        prompt, negative, _ = self._prompt(frame)
        values: dict[str, str | int | float] = {"frame": frame, "prompt": prompt, "negative": negative}
        if frame in plan.seeds:
            values["seed"] = self._seed(frame, seed_shift)
        words = {name: texts[frame] for name, texts in plan.words.items()}
        numbers = {name: plan.at(name, frame) for name in plan.numbers}
        return values | words | numbers | plan.scripts.values(frame)

    def _seed(self, frame: int, shift: int) -> int:
        return (self.plan.seeds[frame] + shift) % SEEDS

    def _prompt(self, frame: int) -> tuple[str, str, PromptTravel | None]:
        settings = self.plan.settings
        how = settings.prompt_blend if settings.mode == "Interpolation" else "hold"
        return blended(self.plan.travel[frame], how)
