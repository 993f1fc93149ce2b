"""Where Flipbook keeps what it makes, in a fake host."""

from __future__ import annotations

import argparse
import importlib.util
from pathlib import Path
from typing import Any

PRELOAD = Path(__file__).resolve().parents[2] / "preload.py"


def parse(*flags: str) -> argparse.Namespace:
    """What the host's parser makes of `flags` after preload.py has added its own."""
    spec = importlib.util.spec_from_file_location("preload", PRELOAD)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    parser = argparse.ArgumentParser()
    module.preload(parser)
    return parser.parse_args(flags)


def test_home_lies_in_the_data_directory(host: Any, tmp_path: Path) -> None:
    from lib_anim.webui.host.folders import home

    assert home() == tmp_path / "flipbook"
    host.shared.cmd_opts.flipbook_dir = parse().flipbook_dir
    assert home() == tmp_path / "flipbook"
    assert not home().exists()


def test_home_is_where_the_flag_says(host: Any, tmp_path: Path) -> None:
    from lib_anim.webui.host.folders import home

    host.shared.cmd_opts.flipbook_dir = parse("--flipbook-dir", str(tmp_path / "films 映画")).flipbook_dir
    assert home() == tmp_path / "films 映画"


def test_relative_flag_becomes_absolute() -> None:
    assert Path(parse("--flipbook-dir", "films").flipbook_dir) == Path.cwd() / "films"
