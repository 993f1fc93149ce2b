"""Re-render frames A to B of a run with changed settings; all other frames stay bit-identical.

The loop's state before A comes from whoever made frame A − 1, so that the part begins as if that film
had gone on. What follows B stays as it is: the sentence about seams says where to look.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from lib_anim.engines.contract.engine import Engine, OnStep
from lib_anim.errors import Conflict, FlipbookError, Problem
from lib_anim.jobs.run.folder import RunFolder
from lib_anim.jobs.run.open_inputs import make_plan
from lib_anim.jobs.run.parts import History, Part, parts_json, parts_of
from lib_anim.jobs.run.runner import Listener, Result, render_locked
from lib_anim.jobs.run.start import reopen
from lib_anim.kinds.base import PaintedKind, Plan, Studio
from lib_anim.kinds.draft import draft_of
from lib_anim.settings.base import Settings, to_json


def rerender(
    kind: PaintedKind,
    settings: Settings,
    first: int,
    last: int,
    engine: Engine,
    folder: RunFolder,
    draw_seed: int,
    listen: Listener = lambda event: None,
    on_step: OnStep | None = None,
    stop: Callable[[], bool] = lambda: False,
) -> Result:
    """Re-render frames `first` to `last` (inclusive) of a run, then write its film.

    `settings` are the run's with changes. The part is written to the manifest before a frame is
    replaced, so that `render` finishes it after a crash; `Result.finished` says whether the part is
    complete. Raises FlipbookError, with nothing touched, for frames that are not there, settings of
    the whole film, parts without a painted frame, and films of one piece; Conflict for another engine,
    for a run that another process holds, and for a part that was begun and is not done.
    """
    if kind.denoised_as_one:
        raise FlipbookError(Problem(kind.denoised_as_one, field="from", code="rerender.indivisible"))
    run_plan = reopen(kind, folder, engine)
    draft = draft_of(folder.manifest())
    plan = make_plan(kind, settings, engine, draw_seed, draft)
    studio = Studio(engine=engine, on_step=on_step)
    with folder.locked():
        manifest = folder.manifest()
        parts = parts_of(manifest)
        problems = [
            *_wrong_frames(first, last, folder.frames_present()),
            *_of_the_film(kind, run_plan.settings, settings),
        ]
        if problems:
            raise FlipbookError(*problems)
        _check_painted(plan, first, last)
        _check_pending(parts, first, last)
        history = History(kind, run_plan, studio, folder, parts, draft)
        for part in history.before(first):
            history.plan_of(part)
        new = Part(number=len(parts) + 1, first=first, last=last, settings=to_json(plan.settings), done=False)
        warnings = list(dict.fromkeys([*manifest["warnings"], *_seams(first, last, run_plan.frames)]))
        entry = {"status": "running", "parts": parts_json([*parts, new]), "warnings": warnings}
        folder.write_manifest({**manifest, **entry})
        folder.log("part", first=first, last=last)
        return render_locked(kind, run_plan, studio, folder, listen, stop, only_parts=True)


def _wrong_frames(first: int, last: int, present: int) -> Iterator[Problem]:
    if first < 0:
        yield Problem(
            f"{first} is not allowed; frames are counted from 0", field="from", code="frame.out_of_range"
        )
    if last < first:
        yield Problem(
            f"{last} is before the first frame {first}; it takes {first} or more",
            field="to",
            code="frame.out_of_range",
        )
    if last >= present:
        have = f"the run has frames 0 to {present - 1}" if present else "the run has no frame yet"
        yield Problem(
            f"there is no frame {last}: {have}; `resume` renders what is missing",
            field="to",
            code="frame.out_of_range",
        )


def _of_the_film(kind: PaintedKind, before: Settings, after: Settings) -> Iterator[Problem]:
    for name in kind.film_level_settings:
        if getattr(before, name) != getattr(after, name):
            value = getattr(before, name)
            sentence = f"it is a setting of the whole film ({value}); a range of frames cannot change it"
            yield Problem(sentence, field=name, code="rerender.film_level_setting")


def _check_painted(plan: Plan, first: int, last: int) -> None:
    if any(first <= frame <= last for frame in plan.painted):
        return
    before = max(frame for frame in plan.painted if frame < first)
    after = min(frame for frame in plan.painted if frame > last)
    sentence = (
        f"none of the frames {first} to {last} is painted, only {before} and {after}; "
        f"choose a range that includes one of them"
    )
    raise FlipbookError(Problem(sentence, field="from", code="rerender.no_painted_frame"))


def _check_pending(parts: tuple[Part, ...], first: int, last: int) -> None:
    pending = parts[-1] if parts and not parts[-1].done else None
    if pending is None or (first <= pending.first and pending.last <= last):
        return
    sentence = (
        f"frames {pending.first} to {pending.last} are not all re-rendered yet; "
        f"`resume` continues with them, or choose a range that includes them all"
    )
    raise Conflict(Problem(sentence, field="run", code="rerender.pending"))


def _seams(first: int, last: int, frames: int) -> tuple[str, ...]:
    seams = [f"{a} and {b}" for a, b in ((first - 1, first), (last, last + 1)) if a >= 0 and b < frames]
    if not seams:
        return ()
    what = f"frame {first} is" if first == last else f"frames {first} to {last} are"
    return (f"{what} re-rendered: check the transition between {', and between '.join(seams)}",)
