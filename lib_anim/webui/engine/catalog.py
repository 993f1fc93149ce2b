"""The engines available in the WebUI: one per checkpoint, and the checkerboard test engine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from modules import sd_models, sd_vae

from lib_anim.engines.checker import CheckerEngine
from lib_anim.engines.contract.capabilities import Capabilities
from lib_anim.engines.contract.engine import Engine
from lib_anim.errors import FlipbookError, NotFound, Problem
from lib_anim.webui.clip.motion_files import module_names
from lib_anim.webui.engine.stills import NAME, WebuiEngine
from lib_anim.webui.host import controlnet as control


class HostEngines:
    """`webui:CHECKPOINT` for every checkpoint of the host, the selected one first; `webui`; `checker`.

    `webui` uses the checkpoint that is selected when the job starts. A film with `webui:CHECKPOINT` is
    resumed with that checkpoint, whatever is selected then.
    """

    def __init__(self) -> None:
        self._checker = CheckerEngine()

    @property
    def default(self) -> str:
        return self.names()[0]

    def names(self) -> Sequence[str]:
        titles = [info.name for info in sd_models.checkpoints_list.values()]
        if titles:
            selected = sd_models.select_checkpoint().name
            titles.sort(key=lambda title: title != selected)
            return [*(f"{NAME}:{title}" for title in titles), NAME, self._checker.name]
        return [self._checker.name]

    def title(self, name: str) -> str:
        if name == self._checker.name:
            return "Checkerboard (no model)"
        return "The checkpoint that is chosen then" if name == NAME else name.removeprefix(f"{NAME}:")

    def capabilities(self, name: str) -> Capabilities | None:
        try:
            return self.open(name).capabilities
        except FlipbookError:
            return None

    def open(self, name: str) -> Engine:
        if name == self._checker.name:
            return self._checker
        if name == NAME:
            return WebuiEngine()
        if not name.startswith(f"{NAME}:"):
            sentence = f'there is no engine "{name}"; available are {", ".join(self.names())}'
            raise NotFound(Problem(sentence, field="engine", code="engine.unknown"))
        return WebuiEngine(name.removeprefix(f"{NAME}:"))

    def models(self) -> Mapping[str, Sequence[str]]:
        return {
            "checkpoints": [info.name for info in sd_models.checkpoints_list.values()],
            "vaes": list(sd_vae.vae_dict),
            "control_models": control.models(),
            "motion_modules": list(module_names()),
        }

    def close(self) -> None:
        """Nothing to free: the models belong to the host."""
