"""Sound as arrays: reading it from films and sound files, writing WAV, a click track to test with."""

from __future__ import annotations

import os
import wave
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av.error
import numpy as np
from av.audio.resampler import AudioResampler
from numpy.typing import NDArray

from lib_anim.errors import FlipbookError, Problem
from lib_anim.media.container import film_stream, local_file, open_input

Samples = NDArray[np.float32]
"""Sound: float32 (samples, channels), -1 to 1."""

_MOST_DAMAGED = 10_000
"""Damaged packets after which a sound is given up."""

_LONGEST = 12 * 3600
"""Seconds of sound that are read into memory at most."""

_LAYOUTS = {1: "mono", 2: "stereo"}


def decode_sound(
    path: Path | str,
    rate: int,
    channels: int = 2,
    start: Fraction = Fraction(0),
    damaged: list[str] | None = None,
) -> Iterator[Samples]:
    """The sound of a file in pieces, at `rate` samples per second, from `start` seconds on.

    In a film the sound's time counts from the first picture, so both stay together. What is damaged
    becomes silence of its length; a name for each such place is appended to `damaged`. Raises
    FlipbookError when there is no sound.
    """
    file = local_file(path, "audio")
    lost = damaged if damaged is not None else []
    with open_input(file, "audio") as container:
        stream = next(iter(container.streams.audio), None)
        if stream is None:
            raise FlipbookError(Problem(f"{file.name} holds no sound.", "audio", code="sound.none"))
        origin = film_start(container) + start
        resampler = AudioResampler(format="fltp", layout=_LAYOUTS[channels], rate=rate)
        # The next sample that is due, counted from `start`; what comes before 0 is not heard.
        at: int | None = None
        for begins, piece in _pieces(container, stream, resampler, origin, rate, lost):
            if at is None:
                at = min(begins, 0)
            if begins > at:
                yield from _silence(begins - max(at, 0), channels, rate)
                at = begins
            cut = max(0, -at)
            at += piece.shape[0]
            if cut < piece.shape[0]:
                yield piece[cut:]


def _silence(samples: int, channels: int, rate: int) -> Iterator[Samples]:
    """Silence in pieces of at most a second, since a damaged file may ask for years of it."""
    for begin in range(0, samples, rate):
        yield np.zeros((min(rate, samples - begin), channels), dtype=np.float32)


def film_start(container: Any) -> Fraction:
    """When the film's first picture is shown, in the container's time; 0 for sound alone."""
    stream = film_stream(container)
    if stream is None or stream.start_time is None or stream.time_base is None:
        return Fraction(0)
    return Fraction(stream.start_time * stream.time_base)


def _pieces(
    container: Any, stream: Any, resampler: AudioResampler, origin: Fraction, rate: int, lost: list[str]
) -> Iterator[tuple[int, Samples]]:
    """Pieces, each with the sample number at which it begins, counted from `origin`. They follow one
    another without seams unless the timestamps jump by more than 50 ms."""
    at: int | None = None
    for frame in _frames(container, stream, lost):
        if frame is not None and frame.pts is not None:
            begins = round((frame.pts * Fraction(frame.time_base) - origin) * rate)
            if at is None or abs(begins - at) > rate // 20:
                at = begins
        for made in resampler.resample(frame):
            piece = np.ascontiguousarray(made.to_ndarray().T.astype(np.float32))
            at = at or 0
            yield at, piece
            at += piece.shape[0]


def _frames(container: Any, stream: Any, lost: list[str]) -> Iterator[Any]:
    """Decoded frames, then None. What is damaged is passed over and named in `lost`."""
    packets = container.demux(stream)
    while True:
        try:
            packet = next(packets)
            frames = packet.decode()
        except (StopIteration, av.error.EOFError):
            break
        except av.error.FFmpegError as error:
            lost.append(str(error))
            if len(lost) > _MOST_DAMAGED:
                break
            continue
        yield from frames
    yield None


def check_sound(path: Path | str) -> None:
    """Raise NotFound or FlipbookError when a file holds no sound that can be decoded."""
    next(decode_sound(path, 48000), None)


def read_sound(path: Path | str, rate: int = 48000, channels: int = 2) -> Samples:
    """All the sound of a film or sound file as float32 (samples, channels), 1 or 2 channels."""
    pieces: list[Samples] = []
    count = 0
    for piece in decode_sound(path, rate, channels):
        pieces.append(piece)
        count += piece.shape[0]
        if count > _LONGEST * rate:
            raise FlipbookError(
                Problem(
                    f"{path} lasts longer than {_LONGEST // 3600} hours.", "audio", code="media.too_large"
                )
            )
    return np.concatenate(pieces) if pieces else np.zeros((0, channels), dtype=np.float32)


def write_wav(path: Path | str, samples: Samples, rate: int = 48000) -> Path:
    """Write float sound (samples, channels), -1 to 1, as a 16-bit WAV. Louder samples are refused."""
    peak = float(np.abs(samples).max()) if samples.size else 0.0
    if peak > 1.0:
        raise FlipbookError(
            Problem(
                f"samples reach {peak:.2f}; divide by that to stay within -1 to 1.",
                "audio",
                code="sound.too_loud",
            )
        )
    target = Path(path)
    part = target.with_name(target.name + ".part")
    with part.open("wb") as file, wave.open(file, "wb") as out:
        out.setnchannels(samples.shape[1])
        out.setsampwidth(2)
        out.setframerate(rate)
        out.writeframes(np.rint(samples * 32767).astype("<i2").tobytes())
    os.replace(part, target)
    return target


def click_track(beats_per_minute: float, seconds: float, rate: int = 48000, channels: int = 2) -> Samples:
    """A metronome: a 1 kHz click of 30 ms on every beat, the first at 0. Float32 (samples, channels)."""
    total = round(seconds * rate)
    track = np.zeros(total, dtype=np.float32)
    length = round(0.03 * rate)
    t = np.arange(length) / rate
    click = (0.8 * np.sin(2 * np.pi * 1000 * t) * np.exp(-t / 0.008)).astype(np.float32)
    beat = 0
    while (begin := round(beat * 60 / beats_per_minute * rate)) < total:
        end = min(total, begin + length)
        track[begin:end] += click[: end - begin]
        beat += 1
    return np.repeat(track[:, None], channels, axis=1)
