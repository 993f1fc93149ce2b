"""Map film frames to source frames: of the video, and of the films and folders that follow it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path, PurePath

import numpy as np
from numpy.typing import NDArray

from lib_anim.errors import FlipbookError, Problem
from lib_anim.kinds.needs import VideoNeed
from lib_anim.kinds.restyle.settings import Restyle
from lib_anim.media.contract import SourceInfo
from lib_anim.media.rates import pick_frames
from lib_anim.settings.base import specs
from lib_anim.settings.sources import SourceText

Picks = NDArray[np.int64]
"""For each frame of the film, the number of the picture that belongs to it."""

SOURCE = "video"
"""The name under which the video itself is opened."""


def unit_track(number: int) -> str:
    """The name under which a ControlNet unit's pictures are opened."""
    return f"unit {number}"


def unit_mask_track(number: int) -> str:
    """The name under which a ControlNet unit's masks are opened."""
    return f"unit {number} mask"


def needs_of(settings: Restyle) -> Mapping[str, VideoNeed]:
    """Everything that is opened for a film, whole: which of its frames are shown is for the plan to say."""
    found = {SOURCE: VideoNeed(path=Path(settings.video), field="video")} if settings.video else {}
    known = specs(Restyle)
    for name in ("init", "mask", "color_reference"):
        value, spec = getattr(settings, name), known[name]
        used = name != "color_reference" or settings.color_coherence != "None"
        if used and isinstance(spec, SourceText) and spec.is_path(value):
            found[name] = VideoNeed(path=Path(value), field=name)
    for number, unit in enumerate(settings.units):
        image = specs(type(unit))["image"]
        if unit.enabled and isinstance(image, SourceText) and image.is_path(unit.image):
            found[unit_track(number)] = VideoNeed(path=Path(unit.image), field=f"units {number} image")
        if unit.enabled and unit.mask:
            found[unit_mask_track(number)] = VideoNeed(path=Path(unit.mask), field=f"units {number} mask")
    return found


@dataclass(frozen=True, kw_only=True, eq=False)
class Chosen:
    """The part of the video that is repainted."""

    picks: Picks
    rate: Fraction
    """Of the film."""
    start: Fraction
    """Seconds into the video at which it begins."""


def choose(settings: Restyle, info: SourceInfo) -> Chosen:
    """The frames that the settings' range, step, rate and length leave of a video.

    A video that says how fast it is shown keeps its length in seconds to within one frame. Raises
    FlipbookError.
    """
    s = settings
    stop = info.frames if s.video_stop == -1 else s.video_stop
    problems = []
    if s.video_start >= info.frames:
        sentence = f"{s.video_start} is after the last frame, {info.frames - 1}"
        problems.append(Problem(sentence, field="video_start", code="video.too_short"))
    if stop > info.frames:
        sentence = f"{stop} is more than the {info.frames} frames that there are; -1 uses all"
        problems.append(Problem(sentence, field="video_stop", code="video.too_short"))
    if stop <= s.video_start and not problems:
        sentence = f"{stop} leaves no frame from {s.video_start} on"
        problems.append(Problem(sentence, field="video_stop", code="video.too_short"))
    if problems:
        raise FlipbookError(*problems)
    picks = np.arange(s.video_start, stop, s.video_every)
    rate = s.fps or info.rate / (s.video_every if info.timed else 1)
    if info.timed:
        picks = picks[pick_frames(len(picks), info.rate / s.video_every, rate)]
    if s.frames:
        picks = picks[: s.frames]
    start = Fraction(s.video_start) / info.rate
    return Chosen(picks=picks.astype(np.int64), rate=rate, start=start)


def follow(need: VideoNeed, track: SourceInfo, video: SourceInfo, picks: Picks, follows: str) -> Picks:
    """For each frame of the film, the picture of another film or folder (a track) that belongs to it.

    One picture serves all frames. Two folders whose files are called alike are matched by name; a film at
    another rate by time; everything else by number, counted as the video's frames or as the film's.
    Raises FlipbookError where a frame has none: nothing is shifted to fill the gap.
    """
    if track.frames == 1:
        return np.zeros_like(picks)
    if follows == "film":
        wanted = np.arange(len(picks))
    else:
        by_name = _by_name(need, track.names, [video.names[p] for p in picks] if video.names else ())
        if by_name is not None:
            return by_name
        wanted = picks
        if track.timed and video.timed and track.rate != video.rate:
            slots = pick_frames(track.frames, track.rate, video.rate)
            wanted = np.array([slots[p] if p < len(slots) else track.frames for p in picks], np.int64)
    short = np.flatnonzero(wanted >= track.frames)
    if short.size:
        frame = int(short[0])
        sentence = (
            f'"{need.path}" has {track.frames} pictures and none for frame {frame} of the film, which has '
            f"{len(picks)}; give every frame its own, or one picture for all"
        )
        if follows == "video" and track.frames >= len(picks):
            sentence += "; where they belong to the film's frames, set tracks_follow to film"
        raise FlipbookError(Problem(sentence, field=need.field, code="track.too_short"))
    return wanted.astype(np.int64)


def _by_name(need: VideoNeed, have: Sequence[str], wanted: Sequence[str]) -> Picks | None:
    """Numbers of the files that are called as the video's, endings aside; None where none is."""
    places = {PurePath(name).stem: number for number, name in enumerate(have)}
    found = [places.get(PurePath(name).stem) for name in wanted]
    if all(place is None for place in found):
        return None
    if None in found:
        name = PurePath(wanted[found.index(None)]).stem
        sentence = (
            f'"{need.path}" has no picture called "{name}", as the video has; every frame needs its own'
        )
        raise FlipbookError(Problem(sentence, field=need.field, code="track.too_short"))
    return np.array(found, np.int64)


_NUMBER = re.compile(r"(\d+)(?!.*\d)")


def gap_warning(names: Sequence[str]) -> tuple[str, ...]:
    """A sentence where the numbers in the files' names skip some, in otherwise even steps."""
    found = [_NUMBER.search(PurePath(name).stem) for name in names]
    numbers = [int(match[1]) for match in found if match]
    if len(names) < 3 or len(numbers) < len(names):
        return ()
    steps = np.diff(numbers)
    wide = np.flatnonzero(steps > np.median(steps))
    if not wide.size:
        return ()
    first = int(wide[0])
    more = f", and {wide.size - 1} times more" if wide.size > 1 else ""
    return (
        f"video: its pictures skip from {names[first]} to {names[first + 1]}{more}; nothing fills the gap",
    )
