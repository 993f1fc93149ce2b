"""Progress bar of a render in a terminal."""

from __future__ import annotations

import sys
from types import TracebackType

from tqdm import tqdm

from lib_anim.kinds.events import Estimated, Event, FrameDone, Progress, Warned


class ProgressBar:
    """Frames done, speed and time left on standard error; warnings stand above the bar."""

    def __init__(self) -> None:
        self._bar: tqdm[None] | None = None

    def __enter__(self) -> ProgressBar:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.close()

    def hear(self, event: Event) -> None:
        """A listener for jobs."""
        if isinstance(event, Warned):
            tqdm.write(f"warning: {event.sentence}", file=sys.stderr)
        elif isinstance(event, Estimated):
            disk = f"at most {-(-event.most_bytes // 2**20)} MiB on the disk"
            tqdm.write(f"{event.paint} pictures to paint for {event.frames} frames, {disk}", file=sys.stderr)
        elif isinstance(event, Progress):
            if self._bar is None:
                self._bar = tqdm(total=event.total, initial=event.done, unit="frame", file=sys.stderr)
            if self._bar.desc != f"{event.phase}: ":
                self._bar.set_description(event.phase, refresh=False)
            self._bar.total = event.total
            self._show(event.done)
        elif isinstance(event, FrameDone):
            self._show(event.index + 1)

    def _show(self, done: int) -> None:
        if self._bar is not None and done > self._bar.n:
            self._bar.update(done - self._bar.n)
