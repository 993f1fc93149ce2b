"""Checkpoints with random weights for the engine's tests, written once per run."""

from __future__ import annotations

from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import pytest


@pytest.fixture(scope="session")
def maker() -> ModuleType:
    """tests/models/random_checkpoint.py."""
    path = Path(__file__).parents[1] / "models" / "random_checkpoint.py"
    spec = spec_from_file_location("random_checkpoint", path)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def checkpoint(maker: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A narrow SD 1.x checkpoint with CLIP's own vocabulary."""
    written: Path = maker.write_sd1(tmp_path_factory.mktemp("sd1") / "narrow.safetensors", text_layers=3)
    return written
