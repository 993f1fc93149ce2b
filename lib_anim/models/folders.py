"""Model folders, and finding a model's file by name."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from lib_anim.errors import FlipbookError, NotFound, Problem
from lib_anim.models.header import read_header


@dataclass(frozen=True, kw_only=True)
class ModelFolders:
    """Folders of files that go with a checkpoint; those that do not exist are passed over."""

    loras: tuple[Path, ...] = ()
    embeddings: tuple[Path, ...] = ()
    vaes: tuple[Path, ...] = ()
    motion: tuple[Path, ...] = ()
    """Of motion modules; motion LoRAs lie there or among the LoRAs."""

    @classmethod
    def around(cls, checkpoint: Path) -> ModelFolders:
        """The WebUI's folders when `checkpoint` is in models/Stable-diffusion, else folders next to it."""
        home = checkpoint.absolute().parent
        models = next((p.parent for p in (home, *home.parents) if p.name == "Stable-diffusion"), None)
        if models is None:
            return cls(
                loras=(home / "Lora",),
                embeddings=(home / "embeddings",),
                vaes=(home / "VAE", home),
                motion=(home / "animatediff", home / "AnimateDiff", home),
            )
        return cls(
            loras=(models / "Lora", models / "LyCORIS"),
            embeddings=(models.parent / "embeddings",),
            vaes=(models / "VAE", models / "Stable-diffusion"),
            motion=(
                models / "animatediff",
                models / "AnimateDiff",
                models.parent / "extensions" / "sd-webui-animatediff" / "model",
            ),
        )


SAFE = (".safetensors",)
TORCH = (".safetensors", ".ckpt", ".pt", ".pth")
"""Also torch's own files, for kinds that are read from them: VAEs, LoRAs such as AnimateDiff's adapter."""
WORDS = (".safetensors", ".pt", ".bin")
"""Textual inversions."""


def weights_in(folders: Iterable[Path], endings: tuple[str, ...] = SAFE) -> dict[str, Path]:
    """Files with one of `endings` in and below `folders` by their bare names; the first of a name counts."""
    found: dict[str, Path] = {}
    for folder in folders:
        for path in sorted(folder.rglob("*")) if folder.is_dir() else ():
            if path.suffix.lower() in endings and path.is_file():
                found.setdefault(path.stem, path)
    return found


def find_weights(
    name: str, folders: Iterable[Path], kind: str, field: str, endings: tuple[str, ...] = SAFE
) -> Path:
    """The file called `name` (its ending may be given) in `folders`.

    Raises NotFound, naming the folders and the nearest names, when there is none.
    """
    folders = tuple(folders)
    found = weights_in(folders, endings)
    wanted = next((name.removesuffix(end) for end in endings if name.endswith(end)), name)
    if wanted in found:
        return found[wanted]
    where = " or ".join(str(folder) for folder in folders) or "no folder"
    have = f"there: {', '.join(sorted(found)[:12])}" if found else "there are none"
    raise NotFound(
        Problem(f'there is no {kind} "{name}" in {where}; {have}.', field=field, code="model.not_found")
    )


def find_lora(name: str, folders: Iterable[Path]) -> Path:
    """The LoRA of a file's name, else of the name that its trainer gave it (`ss_output_name`).

    The WebUI's cards write the latter into prompts. Raises NotFound.
    """
    folders = tuple(folders)
    try:
        return find_weights(name, folders, "LoRA", "prompt", TORCH)
    except NotFound:
        for path in weights_in(folders).values():
            if _told_name(path) == name:
                return path
        raise


def _told_name(path: Path) -> str | None:
    try:
        return read_header(path).metadata.get("ss_output_name")
    except FlipbookError:
        # It is not a LoRA of that name; whoever asks for it by its own hears what it is.
        return None


def stamp(path: Path) -> tuple[Path, int, int]:
    """Changes when the file does: path, time of its last change, size."""
    facts = path.stat()
    return path, facts.st_mtime_ns, facts.st_size
