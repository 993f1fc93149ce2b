"""The loop of restyling: each frame through img2img, alone or with previous output as input."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, replace

from lib_anim.engines.contract.engine import StillPainter, offer_of
from lib_anim.engines.contract.requests import StillRequest
from lib_anim.imaging import mask as masks
from lib_anim.imaging.color import match_colors
from lib_anim.imaging.tween import blend
from lib_anim.kinds.base import Studio
from lib_anim.kinds.events import Event, Finished, FrameDone, Progress, Warned
from lib_anim.kinds.prompt_blend import blended
from lib_anim.kinds.restyle.frame_files import FilePictures
from lib_anim.kinds.restyle.inputs import FrameInputs
from lib_anim.kinds.restyle.plan import RestylePlan
from lib_anim.media.contract import FrameSource
from lib_anim.types import Picture


@dataclass(frozen=True, kw_only=True, eq=False)
class RestyleState:
    """All that the loop carries from one frame to the next, exactly; pictures only where they are needed."""

    frame: int
    """The frame that was painted last, as the plan numbers its own."""
    previous: Picture | None = None
    first: Picture | None = None


def state_before(plan: RestylePlan, frame: int, known: RestyleState | None) -> RestyleState | None:
    """The state before `frame`, without making the frames between it and `known` (any earlier state).

    None where the film feeds on its own output, or where frame 0 is needed and not known.
    """
    if known is not None and known.frame == frame - 1:
        return known
    if plan.uses_previous:
        return None
    if not plan.uses_first:
        return RestyleState(frame=frame - 1)
    return None if known is None or known.first is None else replace(known, frame=frame - 1)


def run(
    plan: RestylePlan,
    studio: Studio,
    sources: Mapping[str, FrameSource],
    state: RestyleState | None = None,
) -> Iterator[Event]:
    """Paint the film, from its start or from a state of an earlier run of the same plan.

    Yields FrameDone for every frame in order, with the state after it where a later frame needs one.
    Stops when closed. The next frame's files are read while a frame is painted.
    """
    for sentence in plan.warnings:
        yield Warned(sentence)
    previous, first = (None, None) if state is None else (state.previous, state.first)
    if plan.uses_first and first is None and plan.shown[0] != 0:
        files = FilePictures(plan, sources, 0)
        first = _paint(FrameInputs(files=files, previous=None, first=None), studio)
    empty_said = False
    numbers = range(0 if state is None else state.frame + 1, plan.frames)
    # The reading thread must not outlive the sources, however the film ends.
    with closing(_read_ahead(plan, sources, [plan.shown[number] for number in numbers])) as ahead:
        for number, files in zip(numbers, ahead, strict=True):
            yield Progress(number, plan.frames, "painting")
            inputs = FrameInputs(files=files, previous=previous, first=first)
            if inputs.mask is not None and masks.is_blank(inputs.mask) and not empty_said:
                empty_said = True
                where = f"frame {files.true}"
                yield Warned(f"mask: it is empty at {where}, so it keeps its picture, as all such frames do")
            picture = _paint(inputs, studio)
            if plan.uses_first and first is None:
                first = picture
            previous = picture if plan.uses_previous else None
            kept = plan.uses_previous or (plan.uses_first and number == 0)
            after = RestyleState(frame=number, previous=previous, first=first) if kept else None
            yield FrameDone(number, picture, painted=True, values=values(plan, files.true), state=after)
    # Only now: the sentences count what was damaged.
    for name, source in sources.items():
        for sentence in source.warnings:
            yield Warned(f"{name}: {sentence}")
    yield Finished(plan.frames)


def _read_ahead(
    plan: RestylePlan, sources: Mapping[str, FrameSource], frames: Sequence[int]
) -> Generator[FilePictures, None, None]:
    """The files' pictures of these true frames, each read while the one before is used."""
    with ThreadPoolExecutor(1, thread_name_prefix="flipbook-read") as reader:
        waiting: Future[FilePictures] | None = None
        for place, true in enumerate(frames):
            files = FilePictures(plan, sources, true).load() if waiting is None else waiting.result()
            waiting = None
            if place + 1 < len(frames):
                waiting = reader.submit(FilePictures(plan, sources, frames[place + 1]).load)
            yield files


def _paint(inputs: FrameInputs, studio: Studio) -> Picture:
    """One frame: through the engine, then its colours brought to the reference's."""
    if inputs.mask is not None and masks.is_blank(inputs.mask):
        return inputs.init
    picture = offer_of(studio.engine, StillPainter).still(request(inputs), studio.on_step)
    amount = inputs.plan.at("color_strength", inputs.true)
    space = inputs.plan.settings.color_coherence
    if space == "None" or inputs.reference is None or amount == 0:
        return picture
    matched = match_colors(picture, inputs.reference, space)
    return matched if amount == 1 else blend(picture, matched, amount)


def request(inputs: FrameInputs) -> StillRequest:
    """What the engine is asked to paint at a frame."""
    plan, true, s = inputs.plan, inputs.true, inputs.plan.settings
    prompt, negative, travel = blended(plan.travel[true], s.prompt_blend)
    if plan.said:
        prompt = f"{prompt} {plan.said[true].prompt}".strip()
        negative = f"{negative} {plan.said[true].negative}".strip()
    numbers = plan.curves.numbers
    return StillRequest(
        prompt=prompt,
        negative=negative,
        travel=travel,
        width=plan.size[0],
        height=plan.size[1],
        seed=plan.seeds[true],
        subseed=int(plan.at("subseed", true)),
        subseed_strength=plan.at("subseed_strength", true),
        steps=int(plan.at("steps", true)),
        cfg_scale=plan.at("cfg_scale", true),
        sampler=plan.word("sampler", true),
        scheduler=plan.word("scheduler", true),
        eta=plan.at("eta", true) if "eta" in numbers else None,
        clip_skip=int(plan.at("clip_skip", true)),
        init=inputs.init,
        denoising=plan.at("denoising", true),
        noise_multiplier=plan.at("noise_multiplier", true),
        mask=inputs.mask,
        mask_blur=plan.at("mask_blur", true),
        fill=s.mask_fill,
        only_masked=s.mask_only,
        only_masked_padding=int(plan.at("mask_padding", true)),
        tiling=s.tiling,
        restore_faces=s.restore_faces,
        checkpoint=plan.word("checkpoint", true) or None,
        vae=plan.word("vae", true) or None,
        control=tuple(inputs.control(one) for one in plan.units),
        scripts=plan.scripts.at(true),
    )


def values(plan: RestylePlan, true: int) -> dict[str, str | int | float]:
    """What made a frame, for its file's metadata."""
    prompt, negative, _ = blended(plan.travel[true], plan.settings.prompt_blend)
    if plan.said:
        prompt = f"{prompt} {plan.said[true].prompt}".strip()
        negative = f"{negative} {plan.said[true].negative}".strip()
    made: dict[str, str | int | float] = {"frame": true, "prompt": prompt, "negative": negative}
    made |= {f"{name} picture": int(picks[true]) for name, picks in plan.picks.items()}
    made["seed"] = plan.seeds[true]
    made |= {name: words[true] for name, words in plan.curves.words.items()}
    made |= {name: float(numbers[true]) for name, numbers in plan.curves.numbers.items()}
    for one in plan.units:
        for name, numbers in one.curves.numbers.items():
            made[f"unit {one.number} {name}"] = float(numbers[true])
    return made | plan.scripts.values(true)
