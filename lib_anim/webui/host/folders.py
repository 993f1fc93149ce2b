"""Where Flipbook keeps what it makes in the WebUI."""

from __future__ import annotations

from pathlib import Path

from modules import paths, paths_internal, shared

_OUTPUTS = (
    "outdir_samples",
    "outdir_txt2img_samples",
    "outdir_img2img_samples",
    "outdir_extras_samples",
    "outdir_save",
)
"""Options that name a folder of results; a relative one starts at the data directory."""


def home() -> Path:
    """The folder given by `--flipbook-dir`, else `flipbook` in the WebUI's data directory. Not made here."""
    given = getattr(shared.cmd_opts, "flipbook_dir", None)
    return Path(given) if given else Path(paths.data_path) / "flipbook"


def outputs() -> list[Path]:
    """The folders into which the WebUI writes pictures, and so those which its users may know."""
    named = [str(getattr(shared.opts, name, "") or "") for name in _OUTPUTS]
    return [
        Path(paths_internal.default_output_dir),
        *(Path(paths.data_path) / name for name in named if name),
    ]
