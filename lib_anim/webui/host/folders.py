"""Flipbook's data folder and the output folders of the WebUI."""

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
"""Options that name an output folder; relative paths start at the data directory."""


def home() -> Path:
    """Folder given by `--flipbook-dir`, else `flipbook` in the WebUI's data directory. Not created here."""
    given = getattr(shared.cmd_opts, "flipbook_dir", None)
    return Path(given) if given else Path(paths.data_path) / "flipbook"


def outputs() -> list[Path]:
    """The folders into which the WebUI writes pictures; its users may read them."""
    named = [str(getattr(shared.opts, name, "") or "") for name in _OUTPUTS]
    return [
        Path(paths_internal.default_output_dir),
        *(Path(paths.data_path) / name for name in named if name),
    ]
