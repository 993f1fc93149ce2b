"""Where people keep motion modules in a WebUI."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

from modules import extensions, paths, shared

from lib_anim.engines.motion_rack import MotionRack

OPTION = "animatediff_model_path"
"""The old extension's setting; it stays in the WebUI's settings file when that extension is gone."""


def motion_folders() -> tuple[Path, ...]:
    """Folders of motion modules, without doubles: Flipbook's own first, then the old extension's."""
    return tuple(dict.fromkeys(path for path in _folders() if path.is_dir()))


@lru_cache(maxsize=1)
def _rack(folders: tuple[Path, ...], loras: tuple[Path, ...]) -> MotionRack:
    return MotionRack(folders, loras)


def rack() -> MotionRack:
    """The motion modules and motion LoRAs of this WebUI; the last used module stays in memory."""
    return _rack(motion_folders(), (Path(paths.models_path) / "Lora",))


def _folders() -> Iterator[Path]:
    models = Path(paths.models_path)
    yield models / "AnimateDiff"
    # Two on file systems that tell them apart.
    yield models / "animatediff"
    given = shared.opts.data.get(OPTION)
    if given:
        yield Path(given)
    for extension in extensions.extensions:
        if (Path(extension.path) / "scripts" / "animatediff.py").is_file():
            yield Path(extension.path) / "model"
