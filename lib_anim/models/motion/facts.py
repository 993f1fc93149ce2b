"""Detect motion modules by tensor names and shapes, and their properties."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from lib_anim.errors import FlipbookError, Problem
from lib_anim.models.motion.keys import Layout, layout_of, native_names, site_of, unwrapped
from lib_anim.models.table import Table

Version = Literal["v1", "v2", "v3", "AnimateLCM", "SDXL", "HotShot-XL"]
Base = Literal["sd1", "sdxl"]
Spacing = Literal["linear", "scaled linear"]

BASES = {"sd1": "SD 1.x", "sdxl": "SDXL"}
HEADS = 8
"""Attention heads of every published module; no shape shows them."""


@dataclass(frozen=True)
class Betas:
    """A noise schedule over 1,000 training steps (Ho et al. 2020, eq. 4)."""

    spacing: Spacing
    """`linear`: β themselves are evenly spaced (diffusers' name; LDM's is `sqrt_linear`).
    `scaled linear`: √β are (LDM's `linear`)."""
    first: float
    last: float


SCHEDULES: Mapping[Version, Betas | None] = {
    "v1": Betas("linear", 0.00085, 0.012),
    "v2": Betas("linear", 0.00085, 0.012),
    "v3": Betas("linear", 0.00085, 0.012),
    "AnimateLCM": Betas("linear", 0.00085, 0.012),
    "SDXL": Betas("scaled linear", 0.00085, 0.020),
    "HotShot-XL": None,
}
"""What each was trained with (AnimateDiff's inference configs, branch sdxl, HotShot-XL's model config).
None: the checkpoint's own."""

REFUSED: tuple[tuple[str, str], ...] = (
    ("fps_embedding.", "a FancyVideo module, which needs embeddings of rate and motion"),
    ("img_encoder.", "an AnimateLCM-I2V module, which needs a picture encoder"),
    ("pose_encoder.", "a CameraCtrl model, which needs camera poses"),
    ("encoder_conv_in.", "a CameraCtrl model, which needs camera poses"),
    ("encoder_down_conv_blocks.", "a CameraCtrl model, which needs camera poses"),
    (".qkv_merge.", "a CameraCtrl model, which needs camera poses"),
    ("controlnet_cond_embedding.", "a SparseCtrl model, a ControlNet that takes a few frames"),
)
"""What looks like a motion module and needs more: beginnings (with a dot in front, parts) of names."""


@dataclass(frozen=True)
class MotionFacts:
    """What a file of motion weights is, from names and shapes alone."""

    name: str
    """The file's name."""
    version: Version
    base: Base
    layout: Layout
    positions: int
    """Frames that its table of positions reaches; also the largest context."""
    widths: tuple[int, ...]
    """Channels of the UNet's levels, from the outermost."""
    sites: Mapping[str, int]
    """Channels by site, such as `down_blocks.0.motion_modules.1`."""
    stored_positions: bool = True
    """False when the file has no table and the sine formula makes one."""
    lightning: int | None = None
    """Steps that a distilled ("Lightning") module was made for, 0 when the name does not say; else None."""

    @property
    def has_mid(self) -> bool:
        """Whether it also moves the UNet's middle block."""
        return any(site.startswith("mid_block") for site in self.sites)

    @property
    def betas(self) -> Betas | None:
        """The noise schedule that it was trained with; None for the checkpoint's own."""
        return SCHEDULES[self.version]

    @property
    def norms_across_frames(self) -> bool:
        """Whether group norms of residual blocks and output take their statistics over all frames (v1)."""
        return self.version in ("v1", "HotShot-XL")

    @property
    def title(self) -> str:
        """What it is called, such as `AnimateDiff v3`."""
        if self.lightning is not None:
            steps = f", {self.lightning} steps" if self.lightning else ""
            return f"AnimateDiff-Lightning{' (SDXL)' if self.base == 'sdxl' else ''}{steps}"
        names = {"AnimateLCM": "AnimateLCM", "SDXL": "AnimateDiff-SDXL", "HotShot-XL": "HotShot-XL"}
        return names.get(self.version, f"AnimateDiff {self.version}")

    @property
    def sentence(self) -> str:
        """Names the file, says what it is, for which base model and how many frames."""
        known = self.widths in ((320, 640, 1280, 1280), (320, 640, 1280))
        widths = "" if known else f" of widths {'·'.join(map(str, self.widths))}"
        middle = ", also in the middle block" if self.has_mid else ""
        table = "" if self.stored_positions else " (by formula, the file has no table)"
        return (
            f"{self.name} is a motion module, {self.title}, for {BASES[self.base]}{widths}: "
            f"{self.positions} positions{table}, {len(self.sites)} places{middle}, {self.layout} layout."
        )


def is_motion(table: Table) -> bool:
    """Whether a file has a motion module's layers, usable here or not; a LoRA for them has none."""
    if any("lora" in key for key in table.shapes):
        return False
    return layout_of(table.shapes) is not None or _refusal(table.shapes) is not None


def motion_facts(table: Table) -> MotionFacts:
    """What the file behind `table` is. Raises FlipbookError for what is not a motion module of use here."""
    name = table.name
    if any("_lora." in key or ".lora" in key for key in table.shapes):
        raise FlipbookError(
            Problem(
                f"{name} is a LoRA, not a motion module; list it under motion LoRAs.",
                field="module",
                code="model.motion_module",
            )
        )
    refused = _refusal(table.shapes)
    if refused is not None:
        raise FlipbookError(
            Problem(f"{name} is {refused}; it is not used here.", field="module", code="model.motion_module")
        )
    layout = layout_of(table.shapes)
    shapes = {native: shape for key, shape in table.shapes.items() for native in native_names(key)}
    if layout is None or not shapes:
        raise FlipbookError(
            Problem(f"{name} is not a motion module.", field="module", code="model.motion_module")
        )
    sites = {
        site_of(key)[0]: shape[0] for key, shape in shapes.items() if key.endswith("_transformer.norm.weight")
    }
    widths = _widths(sites, name)
    tables = {shape[-2] for key, shape in shapes.items() if key.endswith("pos_encoder.pe")}
    version = _version(sites, max(tables, default=None))
    made_for = table.metadata.get("modelspec.title", "") + " " + name
    return MotionFacts(
        name=name,
        version=version,
        base="sd1" if len(widths) > 3 else "sdxl",
        layout=layout,
        positions=max(tables) if tables else 64 if version == "AnimateLCM" else 32,
        widths=widths,
        sites=sites,
        stored_positions=bool(tables),
        lightning=_lightning(made_for),
    )


def _refusal(shapes: Mapping[str, tuple[int, ...]]) -> str | None:
    """What a file is whose names show that it needs more than temporal layers."""
    bare = {unwrapped(key): shape for key, shape in shapes.items()}
    temporal = any("motion_modules." in key or "temporal_" in key for key in bare)
    poses = any(key.startswith("encoder_conv_in.") for key in bare)
    if not temporal and not poses:
        return None
    for part, what in REFUSED:
        if any(part in key if part.startswith(".") else key.startswith(part) for key in bare):
            return what
    if bare.get("conv_in.weight", (0, 4))[1] == 9:
        return "a PIA module, which needs a condition picture in the UNet's input"
    return None


def _widths(sites: Mapping[str, int], name: str) -> tuple[int, ...]:
    levels: dict[int, int] = {}
    for site, width in sites.items():
        level = re.match(r"down_blocks\.(\d+)", site)
        if level is not None:
            levels[int(level[1])] = width
    if not levels or sorted(levels) != list(range(len(levels))):
        raise FlipbookError(
            Problem(
                f"{name} lacks temporal layers of the UNet's down blocks; download it again.",
                field="module",
                code="model.damaged",
            )
        )
    return tuple(levels[level] for level in sorted(levels))


def _version(sites: Mapping[str, int], positions: int | None) -> Version:
    """Number of levels tells SD 1.x from SDXL, middle block and length of the table the rest."""
    if len({site.split(".")[1] for site in sites if site.startswith("down_blocks")}) <= 3:
        return "HotShot-XL" if positions == 24 else "SDXL"
    if any(site.startswith("mid_block") for site in sites):
        return "AnimateLCM" if positions is None else "v2"
    return "v3" if positions in (None, 32) else "v1"


def _lightning(text: str) -> int | None:
    """Steps from a name such as animatediff_lightning_4step_comfyui; 0 without a number, None for others."""
    if "lightning" not in text.lower():
        return None
    steps = re.search(r"(\d+)[-_ ]?step", text.lower())
    return int(steps[1]) if steps else 0
