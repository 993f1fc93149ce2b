"""Install the demo checkpoint into a WebUI."""

from __future__ import annotations

import shutil
from pathlib import Path

import yaml

from lib_anim.app.engines import DEMO_CHECKPOINT
from lib_anim.errors import FlipbookError, NotFound, Problem

TOKENIZER = "flipbook-demo-tokenizer"
MOTION_MODULE = DEMO_CHECKPOINT.with_name("flipbook-demo-motion.safetensors")


def install_demo(webui: Path) -> tuple[Path, Path]:
    """Copy the checkpoint, its tokenizer, its yaml and its motion module into a WebUI's models.

    Returns checkpoint and module there; the latter goes to models/AnimateDiff.

    The WebUI reads the yaml next to a checkpoint and wants the tokenizer's absolute path in it, so the
    copy must be made again when the WebUI's folder moves. Raises FlipbookError.
    """
    folder = webui.absolute() / "models" / "Stable-diffusion"
    if not folder.is_dir():
        sentence = f'"{webui}" is not a WebUI folder: it has no models/Stable-diffusion'
        raise NotFound(Problem(sentence, field="--install", code="webui.not_found"))
    for ours in (DEMO_CHECKPOINT, MOTION_MODULE):
        if not ours.is_file():
            raise NotFound(
                Problem(
                    f'"{ours}" is missing from this copy of Flipbook', field="demo", code="file.not_found"
                )
            )
    source = DEMO_CHECKPOINT.with_suffix(".yaml")
    config = yaml.safe_load(source.read_text("utf-8"))
    config["model"]["params"]["cond_stage_config"]["params"]["version"] = str(folder / TOKENIZER)
    try:
        shutil.copytree(DEMO_CHECKPOINT.parent / "tokenizer", folder / TOKENIZER, dirs_exist_ok=True)
        (folder / source.name).write_text(yaml.safe_dump(config, sort_keys=False), "utf-8")
        shutil.copyfile(DEMO_CHECKPOINT, folder / DEMO_CHECKPOINT.name)
        modules = folder.parent / "AnimateDiff"
        modules.mkdir(exist_ok=True)
        shutil.copyfile(MOTION_MODULE, modules / MOTION_MODULE.name)
    except OSError as error:
        sentence = f'"{error.filename or folder}" cannot be written: {error.strerror}'
        raise FlipbookError(Problem(sentence, field="--install", code="file.not_writable")) from error
    return folder / DEMO_CHECKPOINT.name, modules / MOTION_MODULE.name
