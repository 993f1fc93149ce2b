"""Per-frame overrides from the PNG info of a folder's pictures."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from lib_anim.engines.contract.capabilities import Capabilities
from lib_anim.errors import FlipbookError, Problem
from lib_anim.kinds.needs import Probe, VideoNeed
from lib_anim.kinds.restyle.settings import Restyle
from lib_anim.kinds.restyle.tracks import Picks
from lib_anim.kinds.sampler_names import NO_SPACING, split_sampler
from lib_anim.kinds.seeds import SEEDS
from lib_anim.media.contract import SourceInfo
from lib_anim.settings.png_info import find_checkpoint, parse_parameters


@dataclass(frozen=True, kw_only=True)
class PictureParameters:
    """What one picture says; None where it says nothing or is not asked."""

    prompt: str = ""
    negative: str = ""
    """Both are added to the film's own."""
    seed: int | None = None
    steps: int | None = None
    cfg_scale: float | None = None
    sampler: str | None = None
    scheduler: str | None = None
    checkpoint: str | None = None


def said_by_pictures(
    settings: Restyle, info: SourceInfo, picks: Picks, probe: Probe, capabilities: Capabilities
) -> tuple[PictureParameters, ...]:
    """What the picture of each frame says; empty where the settings ask nothing.

    Raises FlipbookError for a video without files, for values that cannot be, and for checkpoints that
    the engine does not have.
    """
    if not settings.png_info:
        return ()
    if not info.names:
        sentence = "only pictures of a folder say how they were made; remove png_info for a film"
        raise FlipbookError(Problem(sentence, field="png_info", code="pnginfo.invalid"))
    texts = _texts(settings, info, picks, probe)
    found, problems = [], []
    for pick, text in zip(picks, texts, strict=True):
        try:
            found.append(_said(settings.png_info, parse_parameters(text), capabilities))
        except ValueError as error:
            problems.append(
                Problem(f'"{info.names[pick]}" says {error}', field="png_info", code="pnginfo.invalid")
            )
    if problems:
        raise FlipbookError(*problems)
    return tuple(found)


def silent_warning(said: Sequence[PictureParameters]) -> Iterator[str]:
    """A sentence where some pictures say nothing."""
    silent = sum(one == PictureParameters() for one in said)
    if silent:
        yield f"png_info: {silent} of {len(said)} pictures say nothing of it; they take the film's own values"


def _texts(settings: Restyle, info: SourceInfo, picks: Picks, probe: Probe) -> list[str]:
    where, field = (
        settings.png_info_dir or settings.video,
        "png_info_dir" if settings.png_info_dir else "video",
    )
    found = probe(VideoNeed(path=Path(where), field=field, parameters=True))
    if not found.names:
        raise FlipbookError(
            Problem(f'"{where}" is not a folder of pictures', field=field, code="pnginfo.invalid")
        )
    texts = dict(zip(found.names, found.parameters, strict=True))
    return [texts.get(info.names[pick], "") for pick in picks]


def _said(asked: Sequence[str], values: dict[str, str], can: Capabilities) -> PictureParameters:
    found = {
        label: text for label, text in values.items() if label in asked or label in ("Schedule type", "Model")
    }
    sampler = scheduler = checkpoint = None
    if "Sampler" in found:
        sampler, spacing = split_sampler(found["Sampler"])
        scheduler = found.get("Schedule type") or (spacing if spacing != NO_SPACING else None)
    if "Model hash" in found:
        digest, model = found["Model hash"], found.get("Model", "")
        checkpoint = find_checkpoint(can.checkpoints, model, digest)
        if checkpoint is None:
            raise ValueError(f'checkpoint "{model}" [{digest}], which this engine does not have')
    seed = _whole(found, "Seed")
    return PictureParameters(
        prompt=found.get("Prompt", ""),
        negative=found.get("Negative prompt", ""),
        seed=None if seed is None else seed % SEEDS,
        steps=_whole(found, "Steps"),
        cfg_scale=_number(found, "CFG scale"),
        sampler=sampler,
        scheduler=scheduler,
        checkpoint=checkpoint,
    )


def _whole(found: dict[str, str], label: str) -> int | None:
    if label not in found:
        return None
    if not found[label].strip().isdecimal():
        raise ValueError(f'{label} "{found[label]}", which is not an integer')
    return int(found[label])


def _number(found: dict[str, str], label: str) -> float | None:
    if label not in found:
        return None
    try:
        return float(found[label])
    except ValueError:
        raise ValueError(f'{label} "{found[label]}", which is not a number') from None
