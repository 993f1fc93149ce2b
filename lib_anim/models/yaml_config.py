"""Read NAME.yaml next to a checkpoint for what tensor shapes do not tell, as the WebUI does."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml  # type: ignore[import-untyped]

from lib_anim.errors import FlipbookError, Problem


@dataclass(frozen=True)
class YamlConfig:
    """What a yaml in the original (LDM) layout says beyond the shapes; empty without one."""

    unet: dict[str, Any] = field(default_factory=dict)
    """`heads` or `head_size`, where stated."""
    schedule: dict[str, Any] = field(default_factory=dict)
    """`steps`, `beta_start`, `beta_end`, where stated."""
    latent_scale: float | None = None
    native_size: int | None = None
    """Side in pixels that it was trained at, where stated."""
    tokenizer: Path | None = None
    """Folder with vocab.json and merges.txt."""
    text: dict[str, Any] = field(default_factory=dict)
    """`heads` and `activation` from that folder's config.json, where stated."""


def yaml_config(path: Path) -> YamlConfig:
    """The configuration in the yaml next to the checkpoint `path`.

    Raises FlipbookError when it cannot be read, wants a v-prediction or names a folder that does not exist.
    """
    file = path.with_suffix(".yaml")
    if not file.is_file():
        return YamlConfig()
    try:
        tree: Any = yaml.safe_load(file.read_text("utf-8"))
        params: dict[str, Any] = tree["model"]["params"]
        unet = dict((params.get("unet_config") or {}).get("params") or {})
        text = dict((params.get("cond_stage_config") or {}).get("params") or {})
        side = _native_size(params)
    except (yaml.YAMLError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise FlipbookError(
            Problem(f"{file.name} next to the weights is unreadable: {error}.", code="model.yaml")
        ) from error
    if params.get("parameterization", "eps") != "eps":
        raise FlipbookError(
            Problem(
                f"{file.name} says that the checkpoint predicts velocities, which is not supported.",
                code="model.unsupported",
            )
        )
    tokenizer = _folder(file, text.get("version"))
    return YamlConfig(
        unet=_numbers(file, unet, heads="num_heads", head_size="num_head_channels"),
        schedule=_numbers(file, params, steps="timesteps", beta_start="linear_start", beta_end="linear_end"),
        latent_scale=_numbers(file, params, scale="scale_factor").get("scale"),
        native_size=side,
        tokenizer=tokenizer,
        text=_text(tokenizer),
    )


def _stated(tree: dict[str, Any], **names: str) -> dict[str, Any]:
    """The entries of `tree` under our names; LDM writes −1 for "not this one"."""
    return {ours: tree[theirs] for ours, theirs in names.items() if tree.get(theirs) not in (None, -1)}


def _numbers(file: Path, tree: dict[str, Any], **names: str) -> dict[str, Any]:
    """As `_stated`; FlipbookError for what is not a number above 0, and for counts that are not whole."""
    found = _stated(tree, **names)
    for ours, value in found.items():
        count = ours in ("steps", "heads", "head_size")
        if not isinstance(value, int if count else int | float) or isinstance(value, bool) or value <= 0:
            kind = "whole number" if count else "number"
            raise FlipbookError(
                Problem(
                    f"{file.name} next to the weights says {names[ours]}: {value}; write a {kind} above 0.",
                    code="model.yaml",
                )
            )
    return found


def _native_size(params: dict[str, Any]) -> int | None:
    """LDM's `image_size` counts latents; the autoencoder halves the sides once between two levels."""
    first = (params.get("first_stage_config") or {}).get("params") or {}
    levels = (first.get("ddconfig") or {}).get("ch_mult")
    side = params.get("image_size")
    if not isinstance(side, int) or not isinstance(levels, list) or not levels:
        return None
    return side << (len(levels) - 1)


def _folder(file: Path, version: object) -> Path | None:
    """`version` as a folder, relative to the yaml; None when it is a published model's name."""
    if not isinstance(version, str):
        return None
    folder = file.parent / version
    if folder.is_dir():
        return folder.resolve()
    if Path(version).is_absolute() or version.startswith("."):
        raise FlipbookError(
            Problem(
                f"{file.name} names the tokenizer folder {version}, which does not exist.",
                code="model.tokenizer",
            )
        )
    return None


def _text(tokenizer: Path | None) -> dict[str, Any]:
    """The text model's sizes that its weights do not show, from config.json in the tokenizer's folder."""
    if tokenizer is None or not (tokenizer / "config.json").is_file():
        return {}
    try:
        tree: dict[str, Any] = json.loads((tokenizer / "config.json").read_text("utf-8"))
    except ValueError as error:
        raise FlipbookError(
            Problem(f"{tokenizer / 'config.json'} is not valid JSON: {error}.", code="model.tokenizer")
        ) from error
    return _stated(tree.get("text_config") or tree, heads="num_attention_heads", activation="hidden_act")
