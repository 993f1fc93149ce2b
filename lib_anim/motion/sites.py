"""Where motion modules attach to a UNet, and which group norms v1 computes across frames."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from torch import nn


@dataclass(frozen=True)
class Site:
    """One attachment point of a motion layer: after `layer`, before any resampling in the same block."""

    key: str
    """Native name, such as `up_blocks.1.motion_modules.2`."""
    layer: nn.Module
    """Its output, (rows, width, h, w) alone or first in a tuple, is what the motion layer changes."""
    width: int


@dataclass(frozen=True)
class Sites:
    """All attachment points in one UNet."""

    unet: nn.Module
    blocks: tuple[Site, ...]
    norms: tuple[nn.Module, ...]
    """Group norms of residual blocks and of the output."""

    @property
    def widths(self) -> tuple[int, ...]:
        """Channels of the downsampling levels."""
        levels = {site.key.split(".")[1]: site.width for site in self.blocks if site.key.startswith("down")}
        return tuple(levels.values())


def sites_of_ldm(unet: Any) -> Sites:
    """The sites of a UNet in the original layout (`input_blocks`, `middle_block`, `output_blocks`).

    Blocks are recognised by their attributes, not their classes: LDM, SGM and forks name those differently.
    """
    blocks: list[Site] = []
    level, number = 0, 0
    for block in unet.input_blocks:
        found = _behind(block)
        if found is None:
            # The first block has neither; a block that only downsamples ends a level.
            level, number = (level + 1, 0) if blocks else (0, 0)
            continue
        blocks.append(Site(f"down_blocks.{level}.motion_modules.{number}", *found))
        number += 1
    middle = _behind(unet.middle_block)
    assert middle is not None
    blocks.append(Site("mid_block.motion_modules.0", *middle))
    level, number = 0, 0
    for block in unet.output_blocks:
        found = _behind(block)
        assert found is not None
        blocks.append(Site(f"up_blocks.{level}.motion_modules.{number}", *found))
        number += 1
        if any(hasattr(layer, "conv") and not hasattr(layer, "in_layers") for layer in block):
            level, number = level + 1, 0
    norms = [norm for layer in _residual(unet) for norm in (layer.in_layers[0], layer.out_layers[0])]
    return Sites(unet, tuple(blocks), (*norms, unet.out[0]))


def _behind(block: Any) -> tuple[nn.Module, int] | None:
    """The last transformer of an LDM block, else its first residual layer, and its width."""
    residual = [layer for layer in block if hasattr(layer, "in_layers") and hasattr(layer, "out_layers")]
    if not residual:
        return None
    transformers = [layer for layer in block if hasattr(layer, "transformer_blocks")]
    layer = transformers[-1] if transformers else residual[0]
    return layer, residual[0].out_layers[-1].weight.shape[0]


def _residual(unet: Any) -> Iterator[Any]:
    for blocks in (unet.input_blocks, (unet.middle_block,), unet.output_blocks):
        for block in blocks:
            yield from (layer for layer in block if hasattr(layer, "in_layers"))


def sites_of_diffusers(unet: Any) -> Sites:
    """The sites of a UNet in diffusers' layout (`down_blocks`, `mid_block`, `up_blocks`)."""
    blocks: list[Site] = []
    norms: list[nn.Module] = []
    for side, parts in (("down_blocks", unet.down_blocks), ("up_blocks", unet.up_blocks)):
        for level, part in enumerate(parts):
            layers = getattr(part, "attentions", None) or part.resnets
            for number, (layer, residual) in enumerate(zip(layers, part.resnets, strict=True)):
                key = f"{side}.{level}.motion_modules.{number}"
                blocks.append(Site(key, layer, residual.conv2.weight.shape[0]))
    middle = unet.mid_block
    layer = (getattr(middle, "attentions", None) or middle.resnets)[0]
    blocks.append(Site("mid_block.motion_modules.0", layer, middle.resnets[0].conv2.weight.shape[0]))
    for part in (*unet.down_blocks, middle, *unet.up_blocks):
        norms += [norm for residual in part.resnets for norm in (residual.norm1, residual.norm2)]
    return Sites(unet, tuple(blocks), (*norms, unet.conv_norm_out))
