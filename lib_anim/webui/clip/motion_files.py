"""Finds motion modules in the WebUI's folders and describes them for the accordion."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from modules import extensions, paths, sd_models, shared, ui_common

from lib_anim.engines.contract.capabilities import MotionChoice
from lib_anim.engines.diffusion.motion_store import MotionModuleStore
from lib_anim.kinds.clip.module import NO_MODULE
from lib_anim.motion.sites import sites_of_ldm
from lib_anim.webui.clip.accordion import AUTOMATIC

OPTION = "animatediff_model_path"
"""Setting of sd-webui-animatediff; remains in the settings file after that extension is removed."""


def motion_folders() -> tuple[Path, ...]:
    """Existing folders of motion modules, unique: Flipbook's own first, then sd-webui-animatediff's."""
    return tuple(dict.fromkeys(path for path in _folders() if path.is_dir()))


@lru_cache(maxsize=1)
def _motion_store(folders: tuple[Path, ...], loras: tuple[Path, ...]) -> MotionModuleStore:
    return MotionModuleStore(folders, loras)


def motion_store() -> MotionModuleStore:
    """The motion modules and motion LoRAs of this WebUI; keeps the last used module in memory."""
    return _motion_store(motion_folders(), (Path(paths.models_path) / "Lora",))


def module_names() -> Sequence[str]:
    """Names of the modules that fit the loaded checkpoint; all modules where none fits or none is loaded."""
    choices = _choices()
    return [choice.name for choice in choices if not choice.why_not] or [c.name for c in choices]


def module_sentence(name: str) -> str:
    """Description of a module, with the reason where it does not fit the loaded checkpoint."""
    choices = _choices()
    if name == AUTOMATIC:
        fitting = [choice for choice in choices if not choice.why_not]
        return f"The first that fits the checkpoint: {fitting[0].title}" if fitting else _sentence(NO_MODULE)
    for choice in choices:
        if choice.name == name:
            return choice.title if not choice.why_not else f"{choice.title} **{choice.why_not}**"
    return f'There is no motion module "{name}".' if name else _sentence(NO_MODULE)


def refresh_button(dropdown: Any, choices: Any, elem_id: str) -> Any:
    """The host's refresh button for the dropdown of modules."""
    return ui_common.create_refresh_button(
        dropdown, lambda: None, lambda: {"choices": list(choices())}, elem_id
    )


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}."


def _choices() -> Sequence[MotionChoice]:
    model = sd_models.model_data.sd_model
    return motion_store().choices(None if model is None else sites_of_ldm(model.model.diffusion_model))


def _folders() -> Iterator[Path]:
    models = Path(paths.models_path)
    yield models / "AnimateDiff"
    # A different folder on case-sensitive file systems.
    yield models / "animatediff"
    given = shared.opts.data.get(OPTION)
    if given:
        yield Path(given)
    for extension in extensions.extensions:
        if (Path(extension.path) / "scripts" / "animatediff.py").is_file():
            yield Path(extension.path) / "model"
