"""Engines by the names that people give on the command line."""

from __future__ import annotations

from pathlib import Path

from lib_anim.engines.contract import Engine
from lib_anim.errors import NotFound, Problem

DEMO_CHECKPOINT = Path(__file__).resolve().parents[2] / "demo" / "flipbook-demo.safetensors"


def open_engine(name: str) -> tuple[Engine, str]:
    """(engine, the name that opens it from any folder) of "checker", "demo", or a checkpoint's path.

    Raises NotFound, or FlipbookError for a file that is no checkpoint.
    """
    if name == "checker":
        from lib_anim.engines.checker import CheckerEngine

        return CheckerEngine(), name
    checkpoint = DEMO_CHECKPOINT if name == "demo" else Path(name)
    if not checkpoint.is_file():
        sentence = f'"{name}" is no engine; it takes demo, checker, or the path of a .safetensors checkpoint'
        raise NotFound(Problem(sentence, field="engine"))
    # torch and diffusers take seconds to import; schedules, prompts and previews do without them.
    from lib_anim.engines.diffusers import open_engine as open_diffusers

    return open_diffusers(checkpoint), name if name == "demo" else str(checkpoint.absolute())
