"""Make plans, and open the files that they need."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import Any

from lib_anim.engines.contract.capabilities import Capabilities
from lib_anim.engines.contract.engine import Engine
from lib_anim.errors import NotFound, Problem, under_field
from lib_anim.kinds.base import PaintedKind, Plan
from lib_anim.kinds.draft import DraftOptions
from lib_anim.kinds.needs import Need, PictureNeed, VideoNeed
from lib_anim.media.contract import SourceInfo
from lib_anim.media.pictures import read_parameters, read_picture
from lib_anim.media.read import Source, open_source
from lib_anim.settings.base import Settings


def make_plan(
    kind: PaintedKind, settings: Settings, engine: Engine, draw_seed: int, draft: DraftOptions
) -> Plan:
    """The plan of a film, or of a trial of it. Raises NotFound for files, FlipbookError for the rest."""
    return plan_for(kind, settings, engine.capabilities, draw_seed, draft)


def plan_for(
    kind: PaintedKind, settings: Settings, capabilities: Capabilities, draw_seed: int, draft: DraftOptions
) -> Plan:
    """As `make_plan`, for any engine that can do what `capabilities` say."""
    check_needs(kind.needs(settings))
    plan = kind.plan(settings, capabilities, draw_seed, probe)
    return plan if draft.whole else kind.make_draft(plan, draft, capabilities)


def check_needs(needs: Mapping[str, Need]) -> None:
    """Raise NotFound for all files that are not there, before anything else is done."""
    missing = [
        need
        for need in needs.values()
        if not (need.path.is_file() if isinstance(need, PictureNeed) else need.path.exists())
    ]
    if missing:
        raise NotFound(
            *(
                Problem(f'there is no file "{need.path}"', field=need.field, code="file.not_found")
                for need in missing
            )
        )


def probe(need: VideoNeed) -> SourceInfo:
    """What a video is. Raises FlipbookError under the setting's name."""
    with _open_video(need) as source:
        info = source.info
    if not need.parameters or not info.names:
        return info
    with under_field(need.field):
        return replace(info, parameters=tuple(read_parameters(need.path / name) for name in info.names))


@contextmanager
def opened(needs: Mapping[str, Need]) -> Iterator[dict[str, Any]]:
    """Pictures as frames and videos as sources, by name; closed at the end. Raises FlipbookError."""
    with ExitStack() as stack:
        found: dict[str, Any] = {}
        for name, need in needs.items():
            if isinstance(need, VideoNeed):
                found[name] = stack.enter_context(_open_video(need))
            else:
                with under_field(need.field):
                    found[name] = read_picture(need.path)
        yield found


def _open_video(need: VideoNeed) -> Source:
    with under_field(need.field):
        return open_source(need.path, start=need.start, stop=need.stop, every=need.every)
