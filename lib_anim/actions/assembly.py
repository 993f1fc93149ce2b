"""Assemble existing frames into a film."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import numpy as np

from lib_anim import __version__
from lib_anim.actions.settings_files import Loaded
from lib_anim.errors import FlipbookError, NotFound, Problem
from lib_anim.jobs.run.folder import RunFolder
from lib_anim.jobs.run.runner import Listener
from lib_anim.kinds.assemble.order import frame_order, keeps_step, read_in_order
from lib_anim.kinds.assemble.settings import Assemble
from lib_anim.kinds.events import Progress, Warned
from lib_anim.media.contract import Frame, FrameSource
from lib_anim.media.formats import FORMATS, SEQUENCES, find_format
from lib_anim.media.mux import Sound
from lib_anim.media.pictures import write_picture
from lib_anim.media.read import PICTURE_RATE, open_source
from lib_anim.media.sheet import contact_sheet, sheet_frames
from lib_anim.media.write import open_sink
from lib_anim.settings.base import to_json


@dataclass(frozen=True, kw_only=True)
class Assembled:
    """A film made of frames that were there."""

    film: Path
    frames: int
    rate: Fraction
    warnings: tuple[str, ...]


def assemble_run(loaded: Loaded, parent: Path, listen: Listener, label: str = "") -> tuple[Assembled, Path]:
    """(film, its run folder): assembled into a new folder under `parent`, with a manifest."""
    settings = loaded.settings
    if not isinstance(settings, Assemble):
        raise FlipbookError(
            Problem(
                f"a {settings.kind} film is rendered by an engine; use render",
                field="kind",
                code="kind.not_assembled",
            )
        )
    _source_path(settings)
    form = settings.format
    name = "film" if form in SEQUENCES else f"film{FORMATS[form].suffix if form in FORMATS else '.mp4'}"
    folder = RunFolder.create(parent, time.strftime("%Y%m%d-%H%M%S-assemble"))
    for sentence in loaded.warnings:
        listen(Warned(sentence))
    done = assemble(settings, folder.path / name, listen)
    done = replace(done, warnings=(*loaded.warnings, *done.warnings))
    folder.write_manifest(
        {
            "flipbook": __version__,
            "kind": settings.kind,
            "status": "done",
            "frames": done.frames,
            "rate": str(done.rate),
            "settings": to_json(settings),
            "warnings": list(done.warnings),
            "outputs": {"film": name},
            **({"label": label} if label else {}),
        }
    )
    return done, folder.path


def assemble(settings: Assemble, film: Path, listen: Listener) -> Assembled:
    """Write the film. Raises FlipbookError; then no file of that name is left that was not there before."""
    given = _source_path(settings)
    folder, own_rate, sounding = _run_parts(given) if is_run(given) else (given, None, given)
    rate = own_rate if settings.fps is None else settings.fps
    warnings: list[str] = []
    stop = None if settings.stop == -1 else settings.stop
    with open_source(folder, rate=rate, start=settings.start, stop=stop, every=settings.every) as source:
        order = frame_order(settings, len(source))
        # Pictures shown at another rate than the run's leave its sound behind; a film is resampled.
        in_step = keeps_step(settings) and (own_rate is None or rate == own_rate)
        sound = _sound(settings, sounding, in_step, warnings)
        if settings.poster and settings.poster_frame >= len(order):
            sentence = f"{settings.poster_frame} is beyond the film's last frame, {len(order) - 1}"
            raise FlipbookError(Problem(sentence, field="poster_frame", code="frame.out_of_range"))
        info = source.info
        alpha = info.alpha and _takes_alpha(film, settings.format)
        if info.alpha and not alpha:
            warnings.append("format: it carries no transparency, so the frames lie over black")
        with open_sink(
            film,
            width=info.width,
            height=info.height,
            rate=info.rate,
            alpha=alpha,
            audio=sound,
            format=settings.format or None,
            quality=None if settings.quality == -1 else settings.quality,
        ) as sink:
            for done, frame in enumerate(read_in_order(source, order), start=1):
                sink.write(frame if alpha == info.alpha else over_black(frame))
                listen(Progress(done, len(order), "assembling"))
        warnings += [*source.warnings, *sink.warnings]
        _stills(settings, source, [int(i) for i in order])
    for sentence in warnings:
        listen(Warned(sentence))
    return Assembled(film=film.absolute(), frames=len(order), rate=info.rate, warnings=tuple(warnings))


def _takes_alpha(film: Path, form: str) -> bool:
    if form in SEQUENCES:
        return form == "png"
    return bool(find_format(film, form or None).pixels_alpha)


def over_black(frame: Frame) -> Frame:
    """An RGBA frame as RGB over black, rounded."""
    alpha = frame[..., 3:].astype(np.uint16)
    return ((frame[..., :3] * alpha + 127) // 255).astype(np.uint8)


def _source_path(settings: Assemble) -> Path:
    if not settings.source:
        raise FlipbookError(
            Problem(
                "is empty; name a film, a run folder or a folder of pictures",
                field="source",
                code="request.invalid",
            )
        )
    path = Path(settings.source)
    if not path.exists():
        raise NotFound(Problem(f'there is no "{path}"', field="source", code="file.not_found"))
    return path


def is_run(path: Path) -> bool:
    """Whether a path is a run folder with frames."""
    return (path / "run.json").is_file() and (path / "frames").is_dir()


def _run_parts(run: Path) -> tuple[Path, Fraction, Path]:
    """A run's frames, its rate, and where its sound lies: in its film, where there is one."""
    manifest = RunFolder.open(run).manifest()
    film = (manifest.get("outputs") or {}).get("film")
    sounding = run / film if film and (run / film).is_file() else run / "frames"
    return run / "frames", Fraction(manifest.get("rate", PICTURE_RATE)), sounding


def _sound(settings: Assemble, folder: Path, in_step: bool, warnings: list[str]) -> Sound | None:
    offset, fade_in, fade_out = (
        Fraction(value).limit_denominator(100_000)
        for value in (settings.audio_offset, settings.fade_in, settings.fade_out)
    )
    if settings.audio:
        start = Fraction(settings.audio_start).limit_denominator(100_000)
        return Sound(Path(settings.audio), start=start, offset=offset, fade_in=fade_in, fade_out=fade_out)
    if settings.sound == "none" or folder.is_dir():
        return None
    with open_source(folder) as source:
        if not source.info.audio:
            return None
    if not in_step:
        warnings.append(
            "sound: dropped, since the frames no longer run in step with it; `audio` adds another"
        )
        return None
    start = _seconds_before(folder, settings.start)
    return Sound(folder, start=start, offset=offset, fade_in=fade_in, fade_out=fade_out)


def _seconds_before(film: Path, frame: int) -> Fraction:
    """When a frame of a film is shown: frames are counted at the film's own rate."""
    if frame == 0:
        return Fraction(0)
    with open_source(film) as source:
        return Fraction(frame) / source.info.rate


def _stills(settings: Assemble, source: FrameSource, order: list[int]) -> None:
    if settings.poster:
        write_picture(Path(settings.poster), source[order[settings.poster_frame]])
    if settings.sheet:
        shown = sheet_frames(len(order))
        frames = [source[order[i]] for i in shown]
        write_picture(Path(settings.sheet), contact_sheet(frames, columns=4, labels=[str(i) for i in shown]))
