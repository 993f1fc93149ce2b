"""The run folder: where a film's frames, state, manifest and log lie.

run.json            manifest: settings, engine, fingerprint, status, outputs, warnings
run.copy.json       the same again, for when something damages it
log.jsonl           one line per event worth knowing, with its time
frames/000000.png   frames, written in one step each; each carries what made it as text
state/000012.npz    the loop's state after a painted frame, exactly (float32)
state/part-1/       states of a re-rendered range
film.mp4.part       the film while it is encoded; it plays up to the last frame
film.mp4 sheet.png  the whole film, and a contact sheet
lock                held by the process that works here
"""

from __future__ import annotations

import dataclasses
import io
import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar
from zipfile import BadZipFile

import numpy as np

from lib_anim.errors import Conflict, FlipbookError, NotFound, Problem
from lib_anim.jobs import atomic
from lib_anim.jobs.file_lock import lock
from lib_anim.media.pictures import read_text

State = TypeVar("State")

KEEP_EVERY = 24
"""The first state of every stretch of so many frames stays, so that a part can be rendered again from
there; of the others the newest two stay (512×512 float32 pictures take 6 MB a state)."""


def _manifest_in(path: Path) -> dict[str, Any]:
    """Raises OSError, or ValueError for what is not valid JSON object."""
    data = json.loads(path.read_text("utf-8"))
    if not isinstance(data, dict):
        raise ValueError("it holds no JSON object")
    return data


class RunFolder:
    """Paths and files of one run. Creating the object touches nothing."""

    def __init__(self, path: Path) -> None:
        self.path = Path(path).absolute()
        self.manifest_path = self.path / "run.json"
        self.copy_path = self.path / "run.copy.json"
        self.frames = self.path / "frames"
        self.states = self.path / "state"
        self.part = 0
        """The part whose frames are written here; 0 is the run itself."""

    @classmethod
    def create(cls, parent: Path, name: str) -> RunFolder:
        """Make a new folder; two runs of the same second get different ones. Raises FlipbookError."""
        try:
            parent.mkdir(parents=True, exist_ok=True)
            for attempt in range(1, 10_000):
                folder = cls(parent / (name if attempt == 1 else f"{name}-{attempt}"))
                try:
                    folder.path.mkdir()
                except FileExistsError:
                    continue
                folder.frames.mkdir()
                folder.states.mkdir()
                return folder
        except OSError as error:
            sentence = f'"{parent}" cannot be written: {error.strerror}; choose another folder with --out'
            raise FlipbookError(Problem(sentence, field="out", code="file.not_writable")) from error
        raise Conflict(
            Problem(
                f'"{parent / name}" exists ten thousand times; remove some run folders',
                field="out",
                code="run.name_exhausted",
            )
        )

    @classmethod
    def open(cls, path: Path) -> RunFolder:
        """An existing run. Raises NotFound where there is no manifest."""
        folder = cls(path)
        if not folder.manifest_path.is_file() and not folder.copy_path.is_file():
            raise NotFound(
                Problem(
                    f'"{path}" is not a run folder: it has no run.json', field="run", code="run.not_found"
                )
            )
        return folder

    def manifest(self) -> dict[str, Any]:
        """What run.json says, or its copy where it is damaged, with a warning among its warnings.

        Raises FlipbookError when both are damaged.
        """
        try:
            return _manifest_in(self.manifest_path)
        except (OSError, ValueError) as error:
            damage = error
        try:
            copy = _manifest_in(self.copy_path)
        except (OSError, ValueError):
            sentence = f'"{self.manifest_path}" cannot be read ({damage}); the frames are unchanged'
            raise FlipbookError(Problem(sentence, field="run", code="run.damaged")) from damage
        sentence = f"run.json cannot be read ({damage}); its copy run.copy.json is used"
        return {**copy, "warnings": [*copy.get("warnings", ()), sentence]}

    def write_manifest(self, manifest: Mapping[str, Any]) -> None:
        for path in (self.manifest_path, self.copy_path):
            atomic.write_json(path, manifest)

    def log(self, event: str, **facts: Any) -> None:
        """Append one line to the log."""
        line = json.dumps({"time": round(time.time(), 3), "event": event, **facts}, ensure_ascii=False)
        with open(self.path / "log.jsonl", "a", encoding="utf-8") as file:
            file.write(line + "\n")

    def frame_path(self, index: int) -> Path:
        return self.frames / f"{index:06d}.png"

    def frames_present(self, but: Callable[[int], bool] = lambda frame: False) -> int:
        """How many frames from 0 on are there without a gap; those that `but` names count as there."""
        index = 0
        while self.frame_path(index).is_file() or but(index):
            index += 1
        return index

    def of_part(self, number: int) -> RunFolder:
        """The same run with the states of one of its parts."""
        view = RunFolder(self.path)
        view.states = self.states / f"part-{number}"
        view.part = number
        return view

    @property
    def marks(self) -> dict[str, str]:
        """Metadata that marks frames as written for this range, in addition to what made them."""
        return {"part": str(self.part)} if self.part else {}

    def is_made(self, index: int) -> bool:
        """Whether a frame is there and was written for this part, or for any where this is the run itself."""
        path = self.frame_path(index)
        return path.is_file() and (not self.part or read_text(path).get("part") == str(self.part))

    def save_state(self, frame: int, state: Any) -> None:
        """Keep a state exactly; older ones go, but for every KEEP_EVERY-th painted frame's."""
        arrays = {
            field.name: getattr(state, field.name)
            for field in dataclasses.fields(state)
            if getattr(state, field.name) is not None
        }
        self.states.mkdir(exist_ok=True)
        buffer = io.BytesIO()
        np.savez(buffer, **arrays)
        atomic.write_bytes(self._state_path(frame), buffer.getvalue())
        self._drop_states()

    def load_state(self, cls: type[State], before: int) -> State | None:
        """The newest readable state of a frame below `before`; None where there is none."""
        for frame in sorted(self._state_frames(), reverse=True):
            if frame >= before:
                continue
            try:
                with np.load(self._state_path(frame), allow_pickle=False) as arrays:
                    values = {name: arrays[name] for name in arrays.files}
            except (OSError, ValueError, BadZipFile, EOFError) as error:
                self.log("state unreadable", frame=frame, reason=str(error))
                continue
            fields = {f.name: values.get(f.name) for f in dataclasses.fields(cls)}  # type: ignore[arg-type]
            return cls(**{k: int(v) if v is not None and v.ndim == 0 else v for k, v in fields.items()})
        return None

    def _drop_states(self) -> None:
        frames = sorted(self._state_frames())
        stretches: set[int] = set()
        for frame in frames[:-2]:
            if frame // KEEP_EVERY in stretches:
                self._state_path(frame).unlink()
            stretches.add(frame // KEEP_EVERY)

    def _state_path(self, frame: int) -> Path:
        return self.states / f"{frame:06d}.npz"

    def _state_frames(self) -> Iterator[int]:
        return (int(path.stem) for path in self.states.glob("*.npz"))

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the run for this process.

        Raises Conflict when another one that still lives holds it, and FlipbookError where nothing can be
        written.
        """
        try:
            file = open(self.path / "lock", "a+b")  # noqa: SIM115 (closed below)
        except OSError as error:
            sentence = (
                f'"{self.path}" cannot be written ({error.strerror}); its frames are untouched: take the '
                "right to write there, or copy the run to another folder and resume it there"
            )
            raise FlipbookError(Problem(sentence, field="run", code="file.not_writable")) from error
        with file:
            try:
                lock(file.fileno())
            except OSError as error:
                sentence = (
                    f'"{self.path}" is locked by another process that renders it; wait for it or stop it'
                )
                raise Conflict(Problem(sentence, field="run", code="run.locked")) from error
            yield
