"""Everything a person can ask for, in one object that a composition root makes and hands to its doors."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

from lib_anim.actions import curves as curving
from lib_anim.actions.engines import EngineFacts, Engines
from lib_anim.actions.form_state import Drafts
from lib_anim.actions.housekeeping import KEPT_DAYS, Runs
from lib_anim.actions.places import Places
from lib_anim.actions.presets import Presets
from lib_anim.actions.preview import preview
from lib_anim.actions.remote_files import Fetching
from lib_anim.actions.report import report
from lib_anim.actions.settings_files import (
    ADDRESS,
    Loaded,
    settings_from,
    settings_in,
    settings_of,
    settings_sent,
)
from lib_anim.actions.temporary import Temporary
from lib_anim.actions.thumbnails import Thumbnail, thumbnail
from lib_anim.actions.uploads import Uploads
from lib_anim.actions.work import worker_of
from lib_anim.errors import Conflict, FlipbookError, NotFound, Problem
from lib_anim.jobs.queue.record import JobEvent, JobRecord, Status
from lib_anim.jobs.queue.store import Order, Queue
from lib_anim.jobs.queue.worker import Worker
from lib_anim.jobs.run.folder import RunFolder
from lib_anim.jobs.run.open_inputs import check_needs, plan_for
from lib_anim.jobs.run.runner import most_bytes
from lib_anim.kinds.assemble.settings import Assemble
from lib_anim.kinds.draft import Trial
from lib_anim.kinds.keyframed.deforum.importer import is_deforum
from lib_anim.kinds.keyframed.settings import Keyframed
from lib_anim.kinds.registry import KINDS
from lib_anim.kinds.restyle.mov2mov import is_mov2mov
from lib_anim.kinds.restyle.settings import Restyle
from lib_anim.settings.base import Settings, json_schema, specs, to_json
from lib_anim.settings.fields import Flag, Number, Spec, problems_of

TITLES = {kind.name: kind.title for kind in KINDS.values()} | {Assemble.kind: "Assembly"}

MOST_WAITING = 1_000
"""Jobs that may wait at a time: a job is a film, and more is a runaway script."""

PLANNED_AT_ONCE = 20_000
"""Frames of a film that is planned while it is submitted; longer ones are planned when their turn comes."""

MOST_PREVIEWED = 3_000
"""Frames of a motion preview."""

KEPT_PREVIEWS = 12


class Desk:
    """Jobs, looks at settings, and what there is, for every door alike.

    `home` is the folder of the user's data: the queue, run folders, presets. `engines` says who paints,
    `places` which files callers may name (any media on this machine), `fetching` which
    addresses, asked each time (none).
    Safe to call from any thread. What it raises are FlipbookErrors with the sentences that doors show.
    Longer than most files: it is the one list of what can be asked, and each of its methods hands on to the
    noun that does it.
    """

    def __init__(
        self,
        home: Path,
        engines: Engines,
        places: Places | None = None,
        fetching: Callable[[], Fetching] = Fetching,
    ) -> None:
        self.home = home.absolute()
        self.runs = self.home / "runs"
        self.runs.mkdir(parents=True, exist_ok=True)
        self.places = (places or Places()).also(self.runs, self.home / ".uploads", self.home / "presets")
        self.presets = Presets(self.home / "presets")
        """Settings under names; see `Presets`."""
        self.uploads = Uploads(self.home / ".uploads")
        """Media that callers send; settings name them by their address."""
        self.folders = Runs(self.runs, self.home / "trash")
        """Run folders and the trash."""
        self.drafts = Drafts(self.home / ".drafts.json")
        """What stands in the tab's controls."""
        self.panels = Drafts(self.home / ".panels.json")
        """What stands in the controls of a host's scripts, as the page holds it: a file of its own, since it
        may hold pictures."""
        self._engines, self._fetching = engines, fetching
        self._previews = Temporary(self.home / ".previews", KEPT_PREVIEWS)
        # Names with a dot in front: the WebUI's page serves the data folder's files, but not those.
        self._queue = Queue(self.home / ".queue.sqlite")
        self._worker = Worker(
            self._queue, self.home / ".workers", engines.names, worker_of(engines, self.runs)
        )
        self.tidy()

    def close(self) -> None:
        """End the job in hand so that it can be resumed, and give everything back."""
        self._worker.close()
        self._queue.close()
        self._engines.close()

    # Jobs.

    def submit(
        self,
        kind: str,
        settings: Mapping[str, Any],
        *,
        engine: str = "",
        trial: Mapping[str, Any] | None = None,
    ) -> str:
        """Queue one film; returns its id. `settings` may be Deforum's.

        `trial` asks for a look at it: `every`, `half`, `only`. Raises all problems of the settings.
        """
        return self.submit_all([{"kind": kind, "settings": settings, "engine": engine, "trial": trial}])[0]

    def submit_all(self, orders: Sequence[Mapping[str, Any]]) -> list[str]:
        """Queue several films, all or none: mappings with `kind`, `settings`, and maybe `engine`, `trial`."""
        checked: list[Order] = []
        problems: list[Problem] = []
        for number, order in enumerate(orders):
            try:
                checked.append(self._order(**order))
            except FlipbookError as error:
                if len(orders) == 1:
                    raise
                problems += [Problem(p.sentence, field=f"jobs[{number}]") for p in error.problems]
        if problems:
            raise FlipbookError(*problems)
        if not checked:
            raise FlipbookError(Problem("is empty; give at least one job", field="jobs"))
        ids = self._queue.submit(checked, MOST_WAITING)
        self._worker.nudge()
        return ids

    def _order(
        self,
        kind: str,
        settings: Mapping[str, Any],
        engine: str = "",
        trial: Mapping[str, Any] | None = None,
    ) -> Order:
        loaded = self.load(kind, settings)
        part = _trial(trial or {})
        if kind not in TITLES:
            sentence = f'"{kind}" cannot be made yet; there are {", ".join(TITLES)}'
            raise FlipbookError(Problem(sentence, field="kind"))
        if kind not in KINDS:
            return Order(kind=kind, engine="", settings=to_json(loaded.settings), warnings=loaded.warnings)
        name = self._engine_name(engine)
        self._check_plan(loaded.settings, name, part)
        task = {} if part.whole else {"trial": part.as_json()}
        return Order(
            kind=kind,
            engine=name,
            settings=to_json(loaded.settings),
            task=task,
            warnings=loaded.warnings,
        )

    def _engine_name(self, engine: str) -> str:
        name = engine or self._engines.default
        if name not in self._engines.names():
            sentence = f'there is no engine "{name}"; there are {", ".join(self._engines.names())}'
            raise FlipbookError(Problem(sentence, field="engine"))
        return name

    def _check_plan(self, settings: Settings, engine: str, trial: Trial) -> None:
        """What the engine would refuse is told now, where its capabilities are known; files always."""
        kind = KINDS[settings.kind]
        check_needs(kind.needs(settings))
        capabilities = self._engines.capabilities(engine)
        if capabilities is not None and getattr(settings, "frames", 0) <= PLANNED_AT_ONCE:
            plan_for(kind, settings, capabilities, 0, trial)

    def load(self, kind: str, settings: Mapping[str, Any]) -> Loaded:
        """Checked settings of a kind from a JSON object; in Deforum's or mov2mov's keys as well."""
        cls = settings_of(kind)
        named = settings.get("kind", kind)
        if named != kind:
            raise FlipbookError(Problem(f'the settings say "{named}", the job "{kind}"', field="kind"))
        foreign = {Keyframed: is_deforum, Restyle: is_mov2mov}.get(cls)
        if foreign is not None and "kind" not in settings and foreign(settings):
            loaded = settings_from(settings, {})
        else:
            loaded = settings_from({**settings, "kind": kind}, {})
        return Loaded(settings=self._settled(loaded.settings), warnings=loaded.warnings)

    def _settled(self, settings: Settings) -> Settings:
        """Uploads and addresses as the files that they are, and no file that the caller may not name."""
        found, problems = {}, list[Problem]()
        for name, spec in specs(type(settings)).items():
            value = getattr(settings, name)
            try:
                settled = spec.rooted(value, partial(self._file_of, name))
            except FlipbookError as error:
                problems += error.problems
                continue
            if settled != value:
                found[name] = settled
        if problems:
            raise FlipbookError(*problems)
        settings = settings.changed(found) if found else settings
        self.places.check(settings)
        if settings.kind in KINDS:
            # Files inside mask expressions and the like.
            for need in KINDS[settings.kind].needs(settings).values():
                self.places.media(str(need.path), need.field)
        return settings

    def _file_of(self, name: str, text: str) -> str:
        """The path of an upload or an address that a setting names; any other path as it is."""
        if not ADDRESS.match(text):
            return text
        if not text.lower().startswith("upload:"):
            text = self._fetching().fetch(text, self.uploads, name)
        return str(self.uploads.path(text, name))

    def settings_in(self, source: str) -> Loaded:
        """What a file carries: a settings file of any origin, a film or picture that was made by one.

        A film that still lies in its run folder has its run's settings, with all paths. Raises
        FlipbookError when there are none, and for a file that the caller may not name.
        """
        address = source.lower().startswith("upload:")
        path = self.uploads.path(source) if address else self.places.file(source, "file")
        loaded = settings_in(path, self.runs)
        return Loaded(settings=self._settled(loaded.settings), warnings=loaded.warnings)

    def settings_sent(self, name: str, data: bytes) -> Loaded:
        """The settings of a settings file of any origin that a caller sends. Raises FlipbookError."""
        loaded = settings_sent(name, data)
        return Loaded(settings=self._settled(loaded.settings), warnings=loaded.warnings)

    def rerender(
        self, id: str, first: int, last: int, changes: Mapping[str, Any], *, engine: str = ""
    ) -> str:
        """Queue frames `first` to `last` of an ended job's run, to be made anew; returns the new job's id."""
        record = self._with_run(id)
        if record.status not in ("done", "cancelled", "failed") or record.kind not in KINDS:
            raise Conflict(Problem(f"a {record.kind} job that is {record.status} has no parts", field="job"))
        assert record.folder is not None
        self._settled(settings_from(record.settings, changes).settings)
        order = Order(
            kind=record.kind,
            engine=engine or record.engine,
            settings=record.settings,
            task={"part": {"first": first, "last": last, "changes": dict(changes)}},
            run=record.run,
        )
        ids = self._queue.submit([order], MOST_WAITING)
        self._worker.nudge()
        return ids[0]

    def jobs(
        self, statuses: Sequence[Status] = (), *, limit: int = 1_000, batch: str | None = None
    ) -> list[JobRecord]:
        """Running, then waiting in their order, then ended ones, newest first."""
        return self._queue.jobs(statuses, limit, batch)

    def job(self, id: str) -> JobRecord:
        """The job as it is now. Raises NotFound."""
        return self._queue.get(id)

    def events(self, id: str, after: int = 0) -> list[JobEvent]:
        """What happened to a job since event number `after`; does not wait. Raises NotFound."""
        return self._queue.events(id, after)

    def follow(self, id: str, after: int = 0) -> Iterator[JobEvent]:
        """What happens to a job, as it happens, until it has ended. Blocks between events."""
        return self._queue.follow(id, after)

    def cancel(self, id: str) -> JobRecord:
        """A queued job ends now, a running one after its frame, with a film of what there is."""
        record = self._queue.cancel(id)
        self._worker.nudge()
        return record

    def resume(self, id: str) -> JobRecord:
        """Go on with a failed, interrupted or cancelled job; frames come out as if it had never stopped."""
        record = self._queue.resume(id)
        self._worker.nudge()
        return record

    def move(self, id: str, to: int) -> JobRecord:
        """A queued job to a place among the queued ones: 0 is next, -1 is last."""
        return self._queue.move(id, to)

    def forget(self, id: str) -> None:
        """Drop an ended job from the list; its run folder stays."""
        self._queue.forget(id)

    # What remains of a job.

    def _with_run(self, id: str) -> JobRecord:
        record = self._queue.get(id)
        if record.folder is None or not record.folder.is_dir():
            raise NotFound(Problem("it has no run folder, or that was deleted", field="job"))
        return record

    def _output(self, id: str, name: str) -> Path:
        record = self._with_run(id)
        assert record.folder is not None
        path = record.folder / record.outputs.get(name, "")
        if name not in record.outputs or not path.exists():
            raise NotFound(Problem(f"it has no {name}, or none yet; it is {record.status}", field="job"))
        return path

    def film(self, id: str) -> Path:
        """The film's file, or a folder where its format is a sequence of pictures. Raises NotFound."""
        return self._output(id, "film")

    def sheet(self, id: str) -> Path:
        """The contact sheet. Raises NotFound."""
        return self._output(id, "sheet")

    def frame(self, id: str, number: int = -1) -> Path:
        """A frame's PNG, also while the film is made; -1 is the latest. Raises NotFound."""
        record = self._with_run(id)
        assert record.folder is not None
        folder = RunFolder(record.folder)
        count = folder.frames_present() if number == -1 else 0
        path = folder.frame_path(count - 1 if number == -1 else number)
        if number < -1 or not path.is_file():
            sentence = f"there is no frame {number} yet; {record.frames_done} of {record.frames} are made"
            raise NotFound(Problem(sentence, field="frame"))
        return path

    def report(self, id: str) -> dict[str, Any]:
        """Versions, log and settings for a bug report, without folders of the machine. Raises NotFound."""
        return report(self._queue.get(id), self.home)

    # Looks at settings.

    def curves(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        """`{"schedules": {name: text}, "frames", …}` → `{"curves", "errors", "problems", "warnings"}`."""
        return curving.curves(asked)

    def prompts(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        """`{"prompts": …, "frames": N, …}` → `{"spans": [{"first", "last", "positive", "negative"}], …}`."""
        return curving.prompts(asked)

    def preview(self, kind: str, settings: Mapping[str, Any]) -> Path:
        """The motion of a keyframed film as a small MP4; the newest few of them are kept. Takes seconds."""
        loaded = self.load(kind, settings)
        if getattr(loaded.settings, "frames", 0) > MOST_PREVIEWED:
            sentence = f"a preview shows at most {MOST_PREVIEWED} frames; give fewer to look at the beginning"
            raise FlipbookError(Problem(sentence, field="frames"))
        film = self._previews.new(".mp4")
        preview(loaded, film, lambda event: None)
        return film

    def estimate(
        self,
        kind: str,
        settings: Mapping[str, Any],
        *,
        engine: str = "",
        trial: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        """`{"frames", "paint", "bytes", "seconds"}`: pictures to paint, disk at most, time as before.

        None where nobody can tell yet: what an engine can do, or how fast it is, before it was used.
        """
        loaded, part = self.load(kind, settings), _trial(trial or {})
        name = self._engine_name(engine)
        capabilities = self._engines.capabilities(name)
        if kind not in KINDS or capabilities is None:
            return {"frames": None, "paint": None, "bytes": None, "seconds": None}
        plan = plan_for(KINDS[kind], loaded.settings, capabilities, 0, part)
        each = self._pace_of(kind, name)
        width, height = plan.size
        return {
            "frames": plan.frames,
            "paint": len(plan.painted),
            "bytes": most_bytes(plan),
            "seconds": None if each is None else round(each * width * height * plan.frames, 1),
        }

    def _pace_of(self, kind: str, engine: str) -> float | None:
        """Seconds for each pixel of each frame, as the last finished film of a kind and an engine took."""
        for record in self._queue.jobs(["done"], limit=50):
            size = int(record.settings.get("width") or 0) * int(record.settings.get("height") or 0)
            if (record.kind, record.engine) != (kind, engine) or record.task or not size:
                continue
            if record.started and record.ended and record.frames:
                return (record.ended - record.started) / (size * record.frames)
        return None

    # What lies about.

    def throw_away(self, run: str) -> None:
        """Move a run folder to the trash. Raises NotFound, and Conflict when a job needs it."""
        waiting = self._queue.jobs(["queued", "running"])
        self.folders.throw_away(run, [record.folder for record in waiting if record.folder is not None])

    def tidy(self) -> None:
        """Delete uploads that are old and needed by no job, and what has lain long in the trash."""
        waiting = self._queue.jobs(["queued", "running"])
        texts = (value for record in waiting for value in record.settings.values() if isinstance(value, str))
        self.uploads.tidy(Path(text) for text in texts if len(text) < 4096)
        self.folders.empty_trash(KEPT_DAYS)

    def thumbnail(self, source: str, field: str = "file") -> Thumbnail:
        """How a picture, film or folder looks that a setting names. Raises NotFound, FlipbookError."""
        is_upload = source.startswith("upload:")
        return thumbnail(self.uploads.path(source, field) if is_upload else self.places.media(source, field))

    # What there is.

    def kinds(self) -> list[dict[str, Any]]:
        """`{"kind", "title", "engine"}` of every kind that can be made; `engine`: whether it takes one."""
        return [{"kind": name, "title": title, "engine": name in KINDS} for name, title in TITLES.items()]

    def schema(self, kind: str) -> dict[str, Any]:
        """JSON Schema of a kind's settings. Raises NotFound."""
        return json_schema(settings_of(kind))

    def engines(self) -> list[EngineFacts]:
        """Every engine that can be named now, the default first."""
        return [self._facts(name) for name in self._engines.names()]

    def _facts(self, name: str) -> EngineFacts:
        capabilities = self._engines.capabilities(name)
        return EngineFacts(
            name=name,
            title=self._engines.title(name),
            default=name == self._engines.default,
            capabilities=None if capabilities is None else asdict(capabilities),
        )

    def models(self) -> dict[str, list[str]]:
        """Names of model files at hand, by what they are."""
        return {what: list(names) for what, names in self._engines.models().items()}


_TRIAL: Mapping[str, Spec] = {
    "every": Number(label="", help="", whole=True, low=1),
    "half": Flag(label="", help=""),
    "only": Number(label="", help="", whole=True, low=0),
}


def _trial(asked: Mapping[str, Any]) -> Trial:
    problems = [
        Problem(f"there is no such trial; there are {', '.join(_TRIAL)}", field=f"trial.{name}")
        for name in asked
        if name not in _TRIAL
    ]
    values: dict[str, Any] = {}
    for name, spec in _TRIAL.items():
        if asked.get(name) is not None:
            values[name], wrong = problems_of(spec, f"trial.{name}", asked[name])
            problems += wrong
    if problems:
        raise FlipbookError(*problems)
    return Trial(**values)
