"""Engines of the command line and the standalone server, by name."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

from lib_anim.engines.contract.capabilities import Capabilities
from lib_anim.engines.contract.engine import Engine
from lib_anim.errors import NotFound, Problem
from lib_anim.models.folders import ModelFolders, weights_in
from lib_anim.types import AttentionBackend

DEMO_CHECKPOINT = Path(__file__).resolve().parents[2] / "demo" / "flipbook-demo.safetensors"


def stable_name(name: str) -> str:
    """An engine's name that opens it from any working folder: a checkpoint's path is made absolute."""
    return name if name in ("checker", "demo") else str(Path(name).absolute())


def open_engine(name: str, attention: AttentionBackend = "sdpa") -> Engine:
    """The engine "checker", "demo", or that of a checkpoint's path.

    `attention` is the kernel of a checkpoint's attention layers. Raises NotFound, and FlipbookError for a
    file that is not a checkpoint and for a kernel that is not installed.
    """
    if name == "checker":
        from lib_anim.engines.checker import CheckerEngine

        return CheckerEngine()
    checkpoint = DEMO_CHECKPOINT if name == "demo" else Path(name)
    if not checkpoint.is_file():
        sentence = (
            f'"{name}" is not an engine; it takes demo, checker, or the path of a .safetensors checkpoint'
        )
        raise NotFound(Problem(sentence, field="engine", code="engine.unknown"))
    # torch and diffusers take seconds to import; schedules, prompts and previews do without them.
    from lib_anim.engines.diffusion.engine import open_engine as open_diffusers

    return open_diffusers(checkpoint, attention=attention)


class StandaloneEngines:
    """The engines of a server without a WebUI: demo, checker, and the checkpoints of a folder, by file name.

    Besides `checker` one engine is kept warm, the one that was opened last.
    """

    def __init__(self, checkpoints: Path | None = None, attention: AttentionBackend = "sdpa") -> None:
        self._folder, self._attention = checkpoints, attention
        self._lock = threading.Lock()
        self._warm: tuple[str, Engine] | None = None
        self._known: dict[str, Capabilities] = {}
        self._checker: Engine = open_engine("checker")
        self._known["checker"] = self._checker.capabilities

    @property
    def default(self) -> str:
        return self.names()[0]

    def names(self) -> Sequence[str]:
        demo = ["demo"] if DEMO_CHECKPOINT.is_file() else []
        return [*demo, "checker", *self._checkpoints()]

    def title(self, name: str) -> str:
        own = {"demo": "Demo checkpoint (embedded engine)", "checker": "Checkerboard (no model)"}
        return own.get(name, f"{name} (embedded engine)")

    def capabilities(self, name: str) -> Capabilities | None:
        return self._known.get(name)

    def open(self, name: str) -> Engine:
        if name == "checker":
            return self._checker
        with self._lock:
            if self._warm is not None and self._warm[0] == name:
                return self._warm[1]
            if self._warm is not None:
                self._warm[1].close()
                self._warm = None
            found = str(self._checkpoints().get(name, name if name == "demo" else ""))
            engine = open_engine(found, self._attention)
            self._warm = name, engine
            self._known[name] = engine.capabilities
            return engine

    def models(self) -> Mapping[str, Sequence[str]]:
        found: dict[str, Sequence[str]] = {"checkpoints": list(self._checkpoints())}
        if self._folder is not None:
            around = ModelFolders.around(self._folder / "any")
            folders = {"loras": around.loras, "embeddings": around.embeddings, "vaes": around.vaes[:1]}
            found |= {what: sorted(weights_in(places)) for what, places in folders.items()}
        return found

    def close(self) -> None:
        with self._lock:
            if self._warm is not None:
                self._warm[1].close()
            self._warm = None

    def _checkpoints(self) -> dict[str, Path]:
        if self._folder is None:
            return {}
        return {path.stem: path for path in sorted(self._folder.glob("*.safetensors"))}
