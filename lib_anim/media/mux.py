"""Mux the final film: copy the video stream, add sound and comment."""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.container import InputContainer

from lib_anim.media.comment import embed
from lib_anim.media.container import open_input
from lib_anim.media.formats import Format
from lib_anim.media.sound import decode_sound, film_start

SAMPLE_RATE = 48000
_BLOCK = 1024
_SYNC = Fraction(1, 100)
"""Seconds by which a sound may begin before or after its film and still be copied as it is."""

Track = Iterator[tuple[Fraction, Any]]
"""Packets of one stream in order, each with its time in seconds."""


@dataclass(frozen=True, kw_only=True)
class _Span:
    """Which part of a sound is heard, in seconds."""

    skip: Fraction
    """Where in the sound the film's sound begins."""
    silence: Fraction
    """How long the film is silent before it."""
    length: Fraction
    """Length of the film."""


@dataclass(frozen=True)
class Sound:
    """What is heard with a film."""

    path: Path
    """A sound file, or a film whose sound is taken."""
    start: Fraction = Fraction(0)
    """Seconds into the sound at which it begins."""
    offset: Fraction = Fraction(0)
    """Seconds into the film at which the sound begins; negative skips that much of the sound."""
    fade_in: Fraction = Fraction(0)
    fade_out: Fraction = Fraction(0)
    """Seconds of fading at the film's start and end."""

    def span(self, length: Fraction) -> _Span:
        """Resolve trim and offset against the film's length."""
        return _Span(
            skip=self.start + max(Fraction(0), -self.offset),
            silence=max(Fraction(0), self.offset),
            length=length,
        )


def finish(
    part: Path,
    whole: Path,
    form: Format,
    *,
    length: Fraction,
    sound: Sound | None,
    comment: str,
) -> list[str]:
    """Copy the pictures of `part` into `whole`, with sound and comment; return warnings.

    Pictures are not encoded again. `length` is the film's length in seconds. Raises FlipbookError
    when the sound cannot be read.
    """
    if form.animation:
        embed(part, whole, comment)
        return []
    with ExitStack() as stack:
        source = stack.enter_context(open_input(part))
        url, options = f"file:{whole}", dict(form.finished)
        target = stack.enter_context(av.open(url, "w", format=form.muxer, options=options))
        if comment:
            target.metadata["comment"] = comment
        pictures = source.streams.video[0]
        film = target.add_stream_from_template(pictures, opaque=True)
        # The copy's parameters do not say that the packets carry transparency separately.
        if "alpha_mode" in pictures.metadata:
            film.metadata["alpha_mode"] = pictures.metadata["alpha_mode"]
        tracks = [_pictures(source, pictures, film)]
        lost: list[str] = []
        if sound is not None:
            heard = stack.enter_context(open_input(sound.path, "audio"))
            if copies(heard, form, sound):
                tracks.append(_copied_sound(heard, target, length))
            else:
                tracks.append(_encoded_sound(target, form, sound, length, lost))
        for _, packet in heapq.merge(*tracks, key=lambda item: item[0]):
            target.mux(packet)
    if lost and sound is not None:
        return [f"{sound.path.name}: {len(lost)} pieces of its sound are damaged and silent."]
    return []


def copies(heard: InputContainer, form: Format, sound: Sound) -> bool:
    """Whether a sound can be copied without encoding it again: it is not cut, moved or faded, begins
    with its film, and its codec fits the container."""
    stream = heard.streams.audio[0]
    changed = sound.start or sound.offset or sound.fade_in or sound.fade_out
    begins = (stream.start_time or 0) * Fraction(stream.time_base or 0) - film_start(heard)
    fits = stream.codec_context.codec.canonical_name in form.sound_copied
    return fits and not changed and abs(begins) <= _SYNC


def _copied_sound(heard: InputContainer, target: Any, length: Fraction) -> Track:
    stream = heard.streams.audio[0]
    copy = target.add_stream_from_template(stream, opaque=True)
    return _sound_packets(heard, stream, copy, length)


def _sound_packets(heard: InputContainer, stream: Any, copy: Any, length: Fraction) -> Track:
    origin = film_start(heard)
    over: tuple[Fraction, Any] | None = None
    for packet in heard.demux(stream):
        if not packet.size or packet.pts is None:
            continue
        if over is not None:
            # The sound goes on after the film: what was heard past its end is dropped.
            return
        base = Fraction(packet.time_base)
        packet.pts -= round(origin / base)
        packet.dts = packet.pts
        packet.stream = copy
        begins = packet.pts * base
        if begins + (packet.duration or 0) * base > length:
            over = begins, packet
        else:
            yield begins, packet
    if over is not None and over[0] < length:
        yield over


def _pictures(source: Any, stream: Any, film: Any) -> Track:
    """The film's packets with their times; the first picture is at time 0."""
    shift: int | None = None
    for packet in source.demux(stream):
        if not packet.size:
            continue
        if shift is None:
            shift = packet.pts
        packet.pts -= shift
        packet.dts = packet.dts - shift if packet.dts is not None else packet.pts
        packet.stream = film
        yield packet.dts * packet.time_base, packet


def _encoded_sound(target: Any, form: Format, sound: Sound, length: Fraction, lost: list[str]) -> Track:
    stream = target.add_stream(form.sound, rate=SAMPLE_RATE)
    stream.codec_context.layout = "stereo"
    stream.codec_context.bit_rate = 192_000
    return _encoded(stream, sound, length, lost)


def _encoded(stream: Any, sound: Sound, length: Fraction, lost: list[str]) -> Track:
    at = 0
    for block in _blocks(sound, length, lost):
        frame = AudioFrame.from_ndarray(np.ascontiguousarray(block.T), format="fltp", layout="stereo")
        frame.sample_rate = SAMPLE_RATE
        frame.pts = at
        frame.time_base = Fraction(1, SAMPLE_RATE)
        at += block.shape[0]
        for packet in stream.encode(frame):
            yield packet.dts * packet.time_base, packet
    for packet in stream.encode(None):
        yield packet.dts * packet.time_base, packet


def _blocks(sound: Sound, length: Fraction, lost: list[str]) -> Iterator[np.ndarray]:
    """The film's sound as float32 (samples, 2) blocks: silence, sound, faded, cut at the film's end."""
    total = round(length * SAMPLE_RATE)
    span = sound.span(length)
    lead = min(total, round(span.silence * SAMPLE_RATE))
    fade_in, fade_out = round(sound.fade_in * SAMPLE_RATE), round(sound.fade_out * SAMPLE_RATE)
    at = 0
    for block in _rebuffered(sound, span, lead, total, lost):
        n = np.arange(at, at + block.shape[0])
        gain = np.ones(block.shape[0], dtype=np.float32)
        if fade_in:
            gain *= np.clip((n - lead) / fade_in, 0, 1).astype(np.float32)
        if fade_out:
            gain *= np.clip((total - n) / fade_out, 0, 1).astype(np.float32)
        yield block * gain[:, None]
        at += block.shape[0]


def _rebuffered(sound: Sound, span: _Span, lead: int, total: int, lost: list[str]) -> Iterator[np.ndarray]:
    """Blocks of one size, the last one shorter, `total` samples at most."""
    held = np.zeros((lead, 2), dtype=np.float32)
    given = 0
    for piece in decode_sound(sound.path, SAMPLE_RATE, channels=2, start=span.skip, damaged=lost):
        held = np.concatenate([held, piece])
        while held.shape[0] >= _BLOCK and given < total:
            size = min(_BLOCK, total - given)
            yield held[:size]
            held, given = held[size:], given + size
        if given >= total:
            return
    held = held[: total - given]
    if held.shape[0]:
        yield held
