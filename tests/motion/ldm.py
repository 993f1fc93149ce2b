"""A UNet in the original (LDM) layout, made of a diffusers UNet's layers: block lists and names as in LDM.

The WebUI's own classes need the WebUI; what motion code reads of them (lists of blocks, `in_layers`,
`out_layers`, `transformer_blocks`, `op`, `conv`, `out`) is built here by the same rules.
"""

from __future__ import annotations

from typing import Any

import torch
from diffusers import UNet2DConditionModel
from torch import Tensor, nn


class ResBlock(nn.Module):
    def __init__(self, of: Any) -> None:
        super().__init__()
        self.in_layers = nn.Sequential(of.norm1, nn.SiLU(), of.conv1)
        self.emb_layers = nn.Sequential(nn.SiLU(), of.time_emb_proj)
        self.out_layers = nn.Sequential(of.norm2, nn.SiLU(), nn.Dropout(0.0), of.conv2)
        self.skip_connection = of.conv_shortcut or nn.Identity()

    def forward(self, x: Tensor, emb: Tensor) -> Tensor:
        h = self.in_layers(x) + self.emb_layers(emb)[:, :, None, None]
        return self.skip_connection(x) + self.out_layers(h)


class SpatialTransformer(nn.Module):
    def __init__(self, of: Any) -> None:
        super().__init__()
        self.norm, self.proj_in, self.proj_out = of.norm, of.proj_in, of.proj_out
        self.transformer_blocks = of.transformer_blocks

    def forward(self, x: Tensor, context: Tensor) -> Tensor:
        b, c, h, w = x.shape
        y = self.proj_in(self.norm(x)).permute(0, 2, 3, 1).reshape(b, h * w, c)
        for block in self.transformer_blocks:
            y = block(y, encoder_hidden_states=context)
        return self.proj_out(y.reshape(b, h, w, c).permute(0, 3, 1, 2)) + x


class Downsample(nn.Module):
    def __init__(self, of: Any) -> None:
        super().__init__()
        self.op = of.conv

    def forward(self, x: Tensor) -> Tensor:
        return self.op(x)


class Upsample(nn.Module):
    def __init__(self, of: Any) -> None:
        super().__init__()
        self.conv = of.conv

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(nn.functional.interpolate(x, scale_factor=2, mode="nearest"))


class TimestepEmbedSequential(nn.Sequential):
    def forward(self, x: Tensor, emb: Tensor, context: Tensor) -> Tensor:
        for layer in self:
            if isinstance(layer, ResBlock):
                x = layer(x, emb)
            elif isinstance(layer, SpatialTransformer):
                x = layer(x, context)
            else:
                x = layer(x)
        return x


class LdmUNet(nn.Module):
    """The blocks of `of` in LDM's lists: 12 in, middle, 12 out for SD 1.5's topology."""

    def __init__(self, of: UNet2DConditionModel) -> None:
        super().__init__()
        self.time = (of.time_proj, of.time_embedding)
        self.input_blocks = nn.ModuleList([TimestepEmbedSequential(of.conv_in)])
        for block in of.down_blocks:
            attentions = getattr(block, "attentions", None) or [None] * len(block.resnets)
            for resnet, attention in zip(block.resnets, attentions, strict=True):
                self.input_blocks.append(_block(resnet, attention))
            for sampler in block.downsamplers or ():
                self.input_blocks.append(TimestepEmbedSequential(Downsample(sampler)))
        middle = of.mid_block
        self.middle_block = TimestepEmbedSequential(
            ResBlock(middle.resnets[0]), SpatialTransformer(middle.attentions[0]), ResBlock(middle.resnets[1])
        )
        self.output_blocks = nn.ModuleList()
        for block in of.up_blocks:
            attentions = getattr(block, "attentions", None) or [None] * len(block.resnets)
            for resnet, attention in zip(block.resnets, attentions, strict=True):
                self.output_blocks.append(_block(resnet, attention))
            for sampler in block.upsamplers or ():
                self.output_blocks[-1].append(Upsample(sampler))
        self.out = nn.Sequential(of.conv_norm_out, nn.SiLU(), of.conv_out)

    def forward(self, x: Tensor, timesteps: Tensor, context: Tensor) -> Tensor:
        project, embed = self.time
        emb = embed(project(timesteps).to(x.dtype))
        kept = []
        for block in self.input_blocks:
            x = block(x, emb, context)
            kept.append(x)
        x = self.middle_block(x, emb, context)
        for block in self.output_blocks:
            x = block(torch.cat([x, kept.pop()], dim=1), emb, context)
        return self.out(x)


def _block(resnet: Any, attention: Any) -> TimestepEmbedSequential:
    layers: list[nn.Module] = [ResBlock(resnet)]
    if attention is not None:
        layers.append(SpatialTransformer(attention))
    return TimestepEmbedSequential(*layers)
