"""Write frames and loop states to the run folder in a thread, while the next frame is painted."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from typing import Any

import numpy as np

from lib_anim.engines.contract.engine import Interrupted
from lib_anim.jobs.run.folder import RunFolder
from lib_anim.kinds.events import Event, Finished, FrameDone
from lib_anim.media.pictures import write_picture
from lib_anim.types import Picture

WRITES_AHEAD = 8
"""Frames that may wait for the disk while the next ones are painted."""


def write_frames(
    events: Iterator[Event],
    folder: RunFolder,
    owned: Callable[[int], bool],
    hear: Callable[[Event], None],
    stop: Callable[[], bool],
    wrote: Callable[[int], None] = lambda frame: None,
) -> bool:
    """Write the owned frames in order, in a thread, and all states.

    `wrote` is called in the writing thread with each owned frame that is there. True when the pipeline
    came to its end.
    """
    waiting: deque[Future[None]] = deque()
    finished = False
    with ThreadPoolExecutor(1, thread_name_prefix="flipbook-write") as writer:
        try:
            # Typed as any iterator; pipelines are generators, and closing is how they are stopped.
            with closing(events) as frames:  # type: ignore[type-var]
                for event in frames:
                    if isinstance(event, FrameDone):
                        kept = event.index >= 0 and owned(event.index)
                        waiting.append(writer.submit(_write_frame, folder, event, kept, wrote))
                        while len(waiting) > WRITES_AHEAD or (waiting and waiting[0].done()):
                            waiting.popleft().result()
                        if kept:
                            hear(event)
                        if event.painted and stop():
                            return False
                    else:
                        hear(event)
                        finished = finished or isinstance(event, Finished)
        except Interrupted:
            return False
        finally:
            for write in waiting:
                write.result()
    return finished


def _write_frame(folder: RunFolder, event: FrameDone, owned: bool, wrote: Callable[[int], None]) -> None:
    if owned:
        text = {name: str(value) for name, value in event.values.items()} | folder.marks
        write_picture(folder.frame_path(event.index), to_uint8(event.picture), text)
        wrote(event.index)
    if event.state is not None:
        folder.save_state(event.index, event.state)


def to_uint8(picture: Picture) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """A pipeline's picture as a file's frame: rounded, not truncated, so that nothing darkens."""
    return np.asarray(np.rint(np.clip(picture, 0, 1) * 255), np.uint8)
