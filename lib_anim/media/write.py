"""Opens a film, an animation or a folder of pictures for writing."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path

from lib_anim.errors import FlipbookError, Problem
from lib_anim.media.comment import check_length
from lib_anim.media.container import MAX_PIXELS
from lib_anim.media.contract import FrameSink
from lib_anim.media.film import FilmSink, FilmSpec
from lib_anim.media.formats import SEQUENCES, Format, find_format
from lib_anim.media.mux import Sound
from lib_anim.media.rates import parse_rate
from lib_anim.media.sequence import PictureSink
from lib_anim.media.sound import check_sound

_GIF_SHOWN = 50
"""Frames per second of a GIF above which browsers slow it down to 10."""

MOST_LOOPS = 65_535
"""Times that an animation can be shown; its file counts with 16 bits."""


def open_sink(
    path: Path | str,
    *,
    width: int,
    height: int,
    rate: Fraction | int | float | str,
    alpha: bool = False,
    audio: Path | str | Sound | None = None,
    comment: str = "",
    format: str | None = None,
    quality: int | None = None,
    options: Mapping[str, str] | None = None,
    loop: int = 0,
) -> FrameSink:
    """Open a film for writing. The path's ending chooses the format unless `format` names one of
    `FORMATS`, or of `SEQUENCES`, where the path is a folder that does not exist yet or is empty.

    `rate` is in frames per second; `alpha` takes RGBA frames. `audio` is a sound file, a film whose
    sound is taken, or a `Sound` with trim, offset and fades; it lasts no longer than the film.
    `comment` is text kept in the file, settings as JSON for example. `quality` is the encoder's own
    number (crf; JPEG and WebP: 0 to 100); None takes the format's default. `options` go to the
    encoder. `loop` is how often an animation is shown, 0 for ever; films leave it to their player.
    Raises FlipbookError naming the argument, before anything is written.
    """
    place = Path(path).absolute()
    check_length(comment)
    if not 0 < width * height <= MAX_PIXELS or width < 1:
        raise FlipbookError(
            Problem(
                f"{width} x {height} is not a size; at most {MAX_PIXELS} pixels.", "size", code="size.invalid"
            )
        )
    sound = Sound(Path(audio)) if isinstance(audio, (str, Path)) else audio
    if sound is not None:
        check_sound(sound.path)
    if format in SEQUENCES:
        if alpha and format == "jpeg":
            raise FlipbookError(
                Problem("JPEG carries no transparency; choose png.", "format", code="media.no_alpha")
            )
        warnings = _dropped(sound, f"A folder of {format.upper()} pictures")
        return PictureSink(
            place,
            format,
            width=width,
            height=height,
            alpha=alpha,
            comment=comment,
            quality=quality,
            warnings=warnings,
        )
    form = find_format(place, format)
    spec = FilmSpec(
        path=place,
        form=form,
        width=width,
        height=height,
        rate=parse_rate(rate),
        alpha=alpha,
        sound=None if form.animation else sound,
        comment=comment,
        quality=quality,
        options=dict(options or {}),
        loop=loop,
    )
    return FilmSink(spec, (*_check(spec), *(_dropped(sound, form.title) if form.animation else ())))


def _check(spec: FilmSpec) -> tuple[str, ...]:
    """Refuse what the format cannot do; return warnings about what it does badly."""
    form = spec.form
    if spec.alpha and not form.pixels_alpha:
        raise FlipbookError(
            Problem(
                f"{form.title} carries no transparency; choose another.",
                "format",
                code="media.no_alpha",
            )
        )
    if not 0 <= spec.loop <= MOST_LOOPS:
        raise FlipbookError(
            Problem(
                f"{spec.loop} is out of range; it takes 0 to {MOST_LOOPS}.",
                "loop",
                code="value.not_allowed",
            )
        )
    if spec.quality is not None:
        _check_quality(form, spec.quality)
    if form.tick is not None:
        fastest = 1 / form.tick
        if spec.rate > fastest:
            raise FlipbookError(
                Problem(
                    f"{form.title} shows at most {fastest} frames per second.", "fps", code="media.bad_rate"
                )
            )
        if spec.rate > _GIF_SHOWN:
            return (f"Browsers slow a {form.title} of more than {_GIF_SHOWN} frames per second down.",)
    return ()


def _check_quality(form: Format, quality: int) -> None:
    if form.quality is None:
        raise FlipbookError(
            Problem(f"{form.title} has no quality to set.", "quality", code="value.not_allowed")
        )
    low, high = sorted((form.quality.best, form.quality.worst))
    if not low <= quality <= high:
        raise FlipbookError(
            Problem(
                f"{quality} is out of range; {form.title} takes {low} to {high}.",
                "quality",
                code="value.not_allowed",
            )
        )


def _dropped(sound: Sound | None, what: str) -> tuple[str, ...]:
    if sound is None:
        return ()
    return (f"{what} carries no sound; the sound of {sound.path.name} is left out.",)
