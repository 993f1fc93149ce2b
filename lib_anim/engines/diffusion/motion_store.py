"""The motion modules and motion LoRAs that an engine has, told by their headers and read when used."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from lib_anim.engines.contract.capabilities import MotionChoice
from lib_anim.errors import FlipbookError, NotFound, Problem
from lib_anim.models.folders import find_weights, stamp
from lib_anim.models.motion.facts import MotionFacts, is_motion, motion_facts
from lib_anim.models.motion.keys import is_motion_lora
from lib_anim.models.motion.motion_lora import MotionLora, read_motion_lora
from lib_anim.models.motion.reader import MotionModule, read_motion_module
from lib_anim.models.table import read_table
from lib_anim.motion.fit import refuse_misfit
from lib_anim.motion.sites import Sites

ENDINGS = (".safetensors", ".ckpt", ".pth", ".pt")


class MotionModuleStore:
    """Motion modules by their path below the folder that they lie in. The last used one stays in memory."""

    def __init__(self, folders: Iterable[Path], loras: Iterable[Path]) -> None:
        """`folders` of motion modules, in which motion LoRAs may lie too, and of LoRAs."""
        self._folders = tuple(folders)
        self._lora_folders = (*self._folders, *loras)
        self._loras: dict[tuple[Path, int, int], MotionLora] = {}
        self._told: dict[tuple[Path, int, int], MotionFacts | FlipbookError | None] = {}
        self._read: tuple[tuple[Path, int, int], MotionModule] | None = None

    def choices(self, sites: Sites | None) -> tuple[MotionChoice, ...]:
        """What there is, in the order of names, and whether it fits the UNet behind `sites`, if any."""
        return tuple(_choice(name, self._facts(path), sites) for name, path in self._found().items())

    def module(self, name: str) -> MotionModule:
        """The module of a name, from memory or its file. Raises NotFound, FlipbookError."""
        path = self.path(name)
        key = stamp(path)
        if self._read is None or self._read[0] != key:
            self._read = None
            self._read = key, read_motion_module(path)
        return self._read[1]

    def path(self, name: str) -> Path:
        """The file of a module. Raises NotFound."""
        path = self._found().get(name)
        if path is None:
            raise NotFound(Problem(f'there is no motion module "{name}".', field="module"))
        return path

    def is_lora(self, name: str) -> bool:
        """Whether a LoRA of that name is one of temporal layers."""
        return self._lora_path(name) is not None

    def lora(self, name: str) -> MotionLora:
        """The motion LoRA of a name (its ending may be given), read once. Raises NotFound, FlipbookError."""
        path = self._lora_path(name)
        if path is None:
            # Says where they are looked for; a file of that name that is another kind is told what it is.
            return read_motion_lora(find_weights(name, self._lora_folders, "motion LoRA", "motion_loras"))
        key = stamp(path)
        if key not in self._loras:
            self._loras[key] = read_motion_lora(path)
        return self._loras[key]

    def _lora_path(self, name: str) -> Path | None:
        wanted = _bare(name)
        for folder in self._lora_folders:
            for path in _files(folder):
                if wanted in (_bare(path.name), _bare(path.relative_to(folder).as_posix())) and _moves(path):
                    return path
        return None

    def _found(self) -> dict[str, Path]:
        found: dict[str, Path] = {}
        seen: set[Path] = set()
        for folder in self._folders:
            for path in _files(folder):
                # One of the folders may lie in another.
                if path not in seen and self._facts(path) is not None:
                    seen.add(path)
                    found.setdefault(path.relative_to(folder).as_posix(), path)
        return found

    def _facts(self, path: Path) -> MotionFacts | FlipbookError | None:
        """What a file is; why it is of no use where it looks like a motion module; None for other files."""
        key = stamp(path)
        if key not in self._told:
            self._told[key] = _told(path)
        return self._told[key]


def _files(folder: Path) -> Iterator[Path]:
    if folder.is_dir():
        yield from sorted(p for p in folder.rglob("*") if p.suffix.lower() in ENDINGS and p.is_file())


def _bare(name: str) -> str:
    ending = next((ending for ending in ENDINGS if name.lower().endswith(ending)), "")
    return name[: len(name) - len(ending)].replace("\\", "/")


def _moves(path: Path) -> bool:
    try:
        return is_motion_lora(read_table(path))
    except FlipbookError:
        return False


def _told(path: Path) -> MotionFacts | FlipbookError | None:
    try:
        table = read_table(path)
    except FlipbookError:
        # A broken checkpoint beside the modules is not theirs to complain about.
        return None
    if not is_motion(table):
        return None
    try:
        return motion_facts(table)
    except FlipbookError as error:
        return error


def _choice(name: str, facts: MotionFacts | FlipbookError | None, sites: Sites | None) -> MotionChoice:
    if not isinstance(facts, MotionFacts):
        why = str(facts)
        return MotionChoice(name, why, 0, why)
    try:
        if sites is not None:
            refuse_misfit(facts, sites)
    except FlipbookError as error:
        return MotionChoice(name, facts.sentence, facts.positions, error.problems[0].message)
    return MotionChoice(name, facts.sentence, facts.positions)
