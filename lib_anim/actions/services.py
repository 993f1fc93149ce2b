"""All action services of a process in one object, made by a composition root for its entry points."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from lib_anim.actions.engines import Engines
from lib_anim.actions.form_state import FormState
from lib_anim.actions.housekeeping import KEPT_DAYS, Runs
from lib_anim.actions.jobs import Jobs
from lib_anim.actions.places import Places
from lib_anim.actions.presets import Presets
from lib_anim.actions.queries import Queries
from lib_anim.actions.remote_files import RemoteFiles
from lib_anim.actions.settings_service import SettingsService
from lib_anim.actions.temporary import Temporary
from lib_anim.actions.uploads import Uploads
from lib_anim.actions.work import worker_of
from lib_anim.jobs.queue.store import Queue
from lib_anim.jobs.queue.worker import Worker

KEPT_PREVIEWS = 12


class Services:
    """Jobs, settings, queries, presets, uploads and run folders of one data folder.

    `home` is the folder of the user's data: the queue, run folders, presets. `engines` are those that paint
    here, `places` the files that callers may name (default: any media file of this machine), `remote` the
    addresses they may name, asked each time (default: none). Safe to call from any thread. The services raise
    FlipbookErrors with the sentences that entry points show.
    """

    def __init__(
        self,
        home: Path,
        engines: Engines,
        places: Places | None = None,
        remote: Callable[[], RemoteFiles] = RemoteFiles,
    ) -> None:
        self.home = home.absolute()
        self.runs = self.home / "runs"
        """The folder of run folders."""
        self.runs.mkdir(parents=True, exist_ok=True)
        self.places = (places or Places()).also(self.runs, self.home / ".uploads", self.home / "presets")
        self.presets = Presets(self.home / "presets")
        self.uploads = Uploads(self.home / ".uploads")
        self.folders = Runs(self.runs, self.home / "trash")
        """Run folders and the trash."""
        self.forms = FormState(self.home / ".drafts.json")
        """The values of the tab's controls."""
        self.panels = FormState(self.home / ".panels.json")
        """The values of the controls of a host's scripts: a file of its own, since it may hold pictures."""
        # Names that begin with a dot: the WebUI serves the files of the data folder, but not those.
        self._queue = Queue(self.home / ".queue.sqlite")
        self._engines = engines
        self._worker = Worker(
            self._queue, self.home / ".workers", engines.names, worker_of(engines, self.runs)
        )
        self.settings = SettingsService(self.runs, self.places, self.uploads, remote)
        self.jobs = Jobs(self._queue, self._worker, engines, self.settings, self.home)
        previews = Temporary(self.home / ".previews", KEPT_PREVIEWS)
        self.queries = Queries(engines, self.settings, self.places, self.uploads, self._queue, previews)
        self.tidy()

    def close(self) -> None:
        """End the current job so that it can be resumed, and release everything."""
        self._worker.close()
        self._queue.close()
        self._engines.close()

    def throw_away(self, run: str) -> None:
        """Move a run folder to the trash. Raises NotFound, and Conflict when a job needs it."""
        waiting = self._queue.jobs(["queued", "running"])
        self.folders.throw_away(run, [record.folder for record in waiting if record.folder is not None])

    def tidy(self) -> None:
        """Delete old uploads that no job needs, and what has been in the trash for long."""
        waiting = self._queue.jobs(["queued", "running"])
        texts = (value for record in waiting for value in record.settings.values() if isinstance(value, str))
        self.uploads.tidy(Path(text) for text in texts if len(text) < 4096)
        self.folders.empty_trash(KEPT_DAYS)
