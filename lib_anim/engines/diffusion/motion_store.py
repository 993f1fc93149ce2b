"""Store of an engine's motion modules and motion LoRAs: recognised by header, loaded on use."""

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
    """Motion modules by their path relative to their folder. The last used one stays in memory."""

    def __init__(self, folders: Iterable[Path], loras: Iterable[Path]) -> None:
        """`folders` with motion modules, which may also contain motion LoRAs, and `loras` with LoRAs."""
        self._folders = tuple(folders)
        self._lora_folders = (*self._folders, *loras)
        self._loras: dict[tuple[Path, int, int], MotionLora] = {}
        self._known: dict[tuple[Path, int, int], MotionFacts | FlipbookError | None] = {}
        self._read: tuple[tuple[Path, int, int], MotionModule] | None = None

    def choices(self, sites: Sites | None) -> tuple[MotionChoice, ...]:
        """The modules sorted by name, and whether each fits the UNet of `sites`, if given."""
        return tuple(_choice(name, self._facts(path), sites) for name, path in self._found().items())

    def module(self, name: str) -> MotionModule:
        """Loads a module by name; the last one is cached. Raises NotFound, FlipbookError."""
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
            have = f"there is {', '.join(self._found())}" if self._found() else "there is none"
            raise NotFound(
                Problem(
                    f'there is no motion module "{name}"; {have}',
                    field="module",
                    code="motion_module.not_found",
                )
            )
        return path

    def is_lora(self, name: str) -> bool:
        """Whether the LoRA of that name is a motion LoRA."""
        return self._lora_path(name) is not None

    def lora(self, name: str) -> MotionLora:
        """Loads a motion LoRA by name, with or without extension, once. Raises NotFound, FlipbookError."""
        path = self._lora_path(name)
        if path is None:
            # Raises with the folders searched, or with the actual type of a file of that name.
            return read_motion_lora(find_weights(name, self._lora_folders, "motion LoRA", "motion_loras"))
        key = stamp(path)
        if key not in self._loras:
            self._loras[key] = read_motion_lora(path)
        return self._loras[key]

    def _lora_path(self, name: str) -> Path | None:
        wanted = _bare(name)
        for folder in self._lora_folders:
            for path in _files(folder):
                if wanted in (
                    _bare(path.name),
                    _bare(path.relative_to(folder).as_posix()),
                ) and _is_motion_lora_file(path):
                    return path
        return None

    def _found(self) -> dict[str, Path]:
        found: dict[str, Path] = {}
        seen: set[Path] = set()
        for folder in self._folders:
            for path in _files(folder):
                # One of the folders may be inside another.
                if path not in seen and self._facts(path) is not None:
                    seen.add(path)
                    found.setdefault(path.relative_to(folder).as_posix(), path)
        return found

    def _facts(self, path: Path) -> MotionFacts | FlipbookError | None:
        """A motion module's facts, or why it cannot be used; None for other files."""
        key = stamp(path)
        if key not in self._known:
            self._known[key] = _read_facts(path)
        return self._known[key]


def _files(folder: Path) -> Iterator[Path]:
    if folder.is_dir():
        yield from sorted(p for p in folder.rglob("*") if p.suffix.lower() in ENDINGS and p.is_file())


def _bare(name: str) -> str:
    ending = next((ending for ending in ENDINGS if name.lower().endswith(ending)), "")
    return name[: len(name) - len(ending)].replace("\\", "/")


def _is_motion_lora_file(path: Path) -> bool:
    try:
        return is_motion_lora(read_table(path))
    except FlipbookError:
        return False


def _read_facts(path: Path) -> MotionFacts | FlipbookError | None:
    try:
        table = read_table(path)
    except FlipbookError:
        # A broken checkpoint in the same folder is not a motion module.
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
