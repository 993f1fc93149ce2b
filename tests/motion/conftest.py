"""Random networks in miniature: UNets of both layouts and motion modules of every version."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from diffusers import MotionAdapter, UNet2DConditionModel, UNetMotionModel
from safetensors.torch import save_file
from torch import Tensor, nn

from lib_anim.models.motion.reader import MotionModule, read_motion_module

WIDTHS = (32, 32, 64, 64)
TEXT = 16

MakeModule = Callable[..., MotionModule]


@pytest.fixture(autouse=True)
def _no_gradients() -> object:
    with torch.no_grad():
        yield


def unet(widths: tuple[int, ...] = WIDTHS) -> UNet2DConditionModel:
    """A UNet of SD 1.5's topology (SDXL's with three widths), random and small."""
    torch.manual_seed(7)
    kinds = ["", "CrossAttn", "CrossAttn"] if len(widths) == 3 else ["CrossAttn"] * (len(widths) - 1) + [""]
    network = UNet2DConditionModel(
        block_out_channels=widths,
        down_block_types=tuple(f"{kind}DownBlock2D" for kind in kinds),
        up_block_types=tuple(f"{kind}UpBlock2D" for kind in reversed(kinds)),
        layers_per_block=2,
        cross_attention_dim=TEXT,
        attention_head_dim=8,
    )
    return network.eval().requires_grad_(False)


def native(widths: tuple[int, ...], positions: int | None, *, mid: bool, seed: int = 3) -> dict[str, Tensor]:
    """A module's tensors in the native layout, every one random, also those that training starts at zero."""
    torch.manual_seed(seed)
    sites = {f"down_blocks.{d}.motion_modules.{m}": w for d, w in enumerate(widths) for m in (0, 1)}
    sites |= {f"up_blocks.{u}.motion_modules.{m}": w for u, w in enumerate(widths[::-1]) for m in (0, 1, 2)}
    if mid:
        sites["mid_block.motion_modules.0"] = widths[-1]
    tensors: dict[str, Tensor] = {}
    for site, width in sites.items():
        block = "transformer_blocks.0"
        shapes: dict[str, tuple[int, ...]] = {"norm.weight": (width,), "norm.bias": (width,)}
        for name, out, into in (("proj_in", width, width), ("proj_out", width, width)):
            shapes |= {f"{name}.weight": (out, into), f"{name}.bias": (out,)}
        for i in (0, 1):
            attention = f"{block}.attention_blocks.{i}"
            shapes |= {f"{attention}.to_{p}.weight": (width, width) for p in "qkv"}
            shapes |= {f"{attention}.to_out.0.weight": (width, width), f"{attention}.to_out.0.bias": (width,)}
            shapes |= {f"{block}.norms.{i}.weight": (width,), f"{block}.norms.{i}.bias": (width,)}
        shapes |= {f"{block}.ff_norm.weight": (width,), f"{block}.ff_norm.bias": (width,)}
        shapes |= {f"{block}.ff.net.0.proj.weight": (8 * width, width)}
        shapes |= {f"{block}.ff.net.0.proj.bias": (8 * width,)}
        shapes |= {f"{block}.ff.net.2.weight": (width, 4 * width), f"{block}.ff.net.2.bias": (width,)}
        stem = f"{site}.temporal_transformer."
        for name, shape in shapes.items():
            spread = shape[-1] ** -0.5 if len(shape) > 1 else 0.3
            value = torch.randn(shape) * spread
            tensors[stem + name] = value + 1 if name.endswith("weight") and len(shape) == 1 else value
        if positions is not None:
            table = sine(positions, width)
            for i in (0, 1):
                key = f"{stem}{block}.attention_blocks.{i}.pos_encoder.pe"
                tensors[key] = table.clone()
    return tensors


def sine(positions: int, width: int) -> Tensor:
    """AnimateDiff's table (1, positions, width), written out entry by entry."""
    table = torch.zeros(1, positions, width)
    for p in range(positions):
        for i in range(0, width, 2):
            angle = torch.tensor(p / 10000 ** (i / width), dtype=torch.float64)
            table[0, p, i], table[0, p, i + 1] = angle.sin(), angle.cos()
    return table


KINDS: dict[str, dict[str, object]] = {
    "v1": {"positions": 24, "mid": False},
    "v2": {"positions": 32, "mid": True},
    "v3": {"positions": 32, "mid": False},
    "AnimateLCM": {"positions": None, "mid": True},
    "SDXL": {"widths": (32, 64, 64), "positions": 32, "mid": False},
    "HotShot-XL": {"widths": (32, 64, 64), "positions": 24, "mid": False},
    # No published version: two levels, for tests that run a network often. Norms per frame and across frames.
    "tiny": {"widths": (32, 32), "positions": 32, "mid": False},
    "tiny across": {"widths": (32, 32), "positions": 24, "mid": False},
}


@pytest.fixture
def tensors_of() -> Callable[[str], dict[str, Tensor]]:
    """The native tensors of a version in miniature."""

    def make(version: str, seed: int = 3) -> dict[str, Tensor]:
        return native(**({"widths": WIDTHS, "seed": seed} | KINDS[version]))  # type: ignore[arg-type]

    return make


@pytest.fixture
def module_of(tmp_path: Path, tensors_of: Callable[..., dict[str, Tensor]]) -> MakeModule:
    """A version in miniature, written and read again."""

    def make(version: str, seed: int = 3) -> MotionModule:
        path = tmp_path / f"{version}-{seed}.safetensors"
        save_file(tensors_of(version, seed), path)
        return read_motion_module(path)

    return make


@pytest.fixture
def unet_of() -> Callable[[str], UNet2DConditionModel]:
    """The random UNet that a version in miniature fits."""
    return lambda version: unet(tuple(KINDS[version].get("widths", WIDTHS)))  # type: ignore[arg-type]


class _PerFrame(nn.Module):
    """A group norm over (b, c, f, h, w) that takes statistics of each frame alone, as AnimateDiff does."""

    def __init__(self, norm: nn.Module) -> None:
        super().__init__()
        self.norm = norm

    def forward(self, x: Tensor) -> Tensor:
        b, c, f, h, w = x.shape
        y = self.norm(x.permute(0, 2, 1, 3, 4).reshape(b * f, c, h, w))
        return y.view(b, f, c, h, w).permute(0, 2, 1, 3, 4)


class _AcrossFrames(nn.Module):
    """A group norm over (b·f, c, h, w) that takes statistics over all frames, as v1 does."""

    def __init__(self, norm: nn.Module, frames: int) -> None:
        super().__init__()
        self.norm, self.frames = norm, frames

    def forward(self, x: Tensor) -> Tensor:
        bf, c, h, w = x.shape
        y = x.view(bf // self.frames, self.frames, c, h, w).permute(0, 2, 1, 3, 4)
        return self.norm(y).permute(0, 2, 1, 3, 4).reshape(bf, c, h, w)


@pytest.fixture
def oracle() -> Callable[..., UNetMotionModel]:
    """diffusers' UNetMotionModel with a module's weights, its norms corrected to AnimateDiff's own."""

    def make(spatial: UNet2DConditionModel, module: MotionModule, frames: int) -> UNetMotionModel:
        facts = module.facts
        adapter = MotionAdapter(
            block_out_channels=facts.widths,
            motion_num_attention_heads=8,
            motion_max_seq_length=facts.positions,
            use_motion_mid_block=facts.has_mid,
        )
        state = {}
        for site, weights in module.weights.items():
            for name, value in weights.items():
                if "pos_encoder" in name:
                    # The file's table: the formula in float32 differs by 1e-7 from itself in float64.
                    state[f"{site}.transformer_blocks.0.pos_embed.pe"] = value
                    continue
                for ours, theirs in (
                    (".norms.0", ".norm1"), (".norms.1", ".norm2"), (".ff_norm", ".norm3"),
                    (".attention_blocks.0", ".attn1"), (".attention_blocks.1", ".attn2"),
                ):  # fmt: skip
                    name = name.replace(ours, theirs)
                state[f"{site}.{name}"] = value
        missing, unexpected = adapter.load_state_dict(state, strict=False)
        assert not unexpected
        assert all(key.endswith("pos_embed.pe") for key in missing)
        model = UNetMotionModel.from_unet2d(spatial, adapter).eval().requires_grad_(False)
        for part in model.modules():
            if type(part).__name__ == "AnimateDiffTransformer3D":
                part.norm = _PerFrame(part.norm)
            elif facts.norms_across_frames and type(part).__name__ == "ResnetBlock2D":
                part.norm1 = _AcrossFrames(part.norm1, frames)
                part.norm2 = _AcrossFrames(part.norm2, frames)
        if facts.norms_across_frames:
            model.conv_norm_out = _AcrossFrames(model.conv_norm_out, frames)
        return model

    return make
