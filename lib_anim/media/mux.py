"""Finishes a film: copies its pictures into the final container and adds sound and comment."""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import av.error
import numpy as np
from av.audio.frame import AudioFrame

from lib_anim.media.container import open_input
from lib_anim.media.formats import Format
from lib_anim.media.sound import decode_sound

SAMPLE_RATE = 48000
_BLOCK = 1024


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
    rate: Fraction,
    sound: Sound | None,
    comment: str,
) -> list[str]:
    """Copy the pictures of `part` into `whole`, with sound and comment; return warnings.

    Pictures are not encoded again. `length` is the film's length in seconds. Raises FlipbookError
    when the sound cannot be read.
    """
    warnings: list[str] = []
    with (
        open_input(part) as source,
        av.open(f"file:{whole}", "w", format=form.muxer, options=dict(form.finished)) as target,
    ):
        if comment:
            target.metadata["comment"] = comment
        pictures = source.streams.video[0]
        film = target.add_stream_from_template(pictures, opaque=True)
        tracks = [_pictures(source, pictures, film)]
        if sound is not None:
            tracks.append(_sound_track(target, form, sound, length))
        for _, packet in heapq.merge(*tracks, key=lambda item: item[0]):
            target.mux(packet)
    return warnings


def _pictures(source: Any, stream: Any, film: Any) -> Iterator[tuple[Fraction, Any]]:
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


def _sound_track(target: Any, form: Format, sound: Sound, length: Fraction) -> Iterator[tuple[Fraction, Any]]:
    stream = target.add_stream(form.sound, rate=SAMPLE_RATE)
    stream.codec_context.layout = "stereo"
    stream.codec_context.bit_rate = 192_000
    return _encoded(stream, sound, length)


def _encoded(stream: Any, sound: Sound, length: Fraction) -> Iterator[tuple[Fraction, Any]]:
    at = 0
    for block in _blocks(sound, length):
        frame = AudioFrame.from_ndarray(np.ascontiguousarray(block.T), format="fltp", layout="stereo")
        frame.sample_rate = SAMPLE_RATE
        frame.pts = at
        frame.time_base = Fraction(1, SAMPLE_RATE)
        at += block.shape[0]
        for packet in stream.encode(frame):
            yield packet.dts * packet.time_base, packet
    for packet in stream.encode(None):
        yield packet.dts * packet.time_base, packet


def _blocks(sound: Sound, length: Fraction) -> Iterator[np.ndarray]:
    """The film's sound as float32 (samples, 2) blocks: silence, sound, faded, cut at the film's end."""
    total = round(length * SAMPLE_RATE)
    span = sound.span(length)
    lead = min(total, round(span.silence * SAMPLE_RATE))
    fade_in, fade_out = round(sound.fade_in * SAMPLE_RATE), round(sound.fade_out * SAMPLE_RATE)
    at = 0
    for block in _rebuffered(sound, span, lead, total):
        n = np.arange(at, at + block.shape[0])
        gain = np.ones(block.shape[0], dtype=np.float32)
        if fade_in:
            gain *= np.clip((n - lead) / fade_in, 0, 1).astype(np.float32)
        if fade_out:
            gain *= np.clip((total - n) / fade_out, 0, 1).astype(np.float32)
        yield block * gain[:, None]
        at += block.shape[0]


def _rebuffered(sound: Sound, span: _Span, lead: int, total: int) -> Iterator[np.ndarray]:
    """Blocks of one size, the last one shorter, `total` samples at most."""
    held = np.zeros((lead, 2), dtype=np.float32)
    given = 0
    for piece in decode_sound(sound.path, SAMPLE_RATE, channels=2, start=span.skip):
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
