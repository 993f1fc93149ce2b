"""Recognises a single-file checkpoint in the original layout; its networks' sizes come from its shapes."""

from __future__ import annotations

import json
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal

from lib_anim.errors import FlipbookError, Problem
from lib_anim.models.detect import UNET, detect
from lib_anim.models.header import Header, read_header
from lib_anim.models.yaml_config import yaml_config

Family = Literal["sd1", "sdxl"]

VAE = "first_stage_model."

FLOATS = ("F", "BF")
"""How the names of types begin that hold weights as they are; integers would need separate scales."""


@dataclass(frozen=True, kw_only=True)
class UNetShape:
    """What a UNet of the LDM family needs to be built, from the file's shapes."""

    in_channels: int
    """4; 9 for an inpainting checkpoint."""
    out_channels: int
    channels: tuple[int, ...]
    """Width of each level, outermost first."""
    layers: int
    """Residual blocks per level on the way down."""
    depths: tuple[int, ...]
    """Transformer blocks at each level; 0 means no attention there."""
    mid_depth: int
    context: int
    """Width of the text embedding."""
    heads: tuple[int, ...]
    linear_projection: bool
    vector: int
    """Width of the vector condition (SDXL's sizes and pooled text); 0 without one."""
    size_embedding: int
    norm_eps: float
    norm_groups: int

    @property
    def for_inpainting(self) -> bool:
        """Whether it sees, behind the noisy latents, a mask and the latents of what the mask keeps."""
        return self.in_channels == 2 * self.out_channels + 1


@dataclass(frozen=True, kw_only=True)
class VAEShape:
    """What the autoencoder needs to be built."""

    channels: tuple[int, ...]
    layers: int
    latent_channels: int
    norm_groups: int
    scale: float
    """Factor from the autoencoder's latents to the UNet's."""


@dataclass(frozen=True, kw_only=True)
class TextShape:
    """What one CLIP text model needs to be built."""

    layout: Literal["transformers", "open_clip"]
    prefix: str
    vocabulary: int
    positions: int
    width: int
    hidden: int
    """Width inside the feed-forward layers."""
    layers: int
    heads: int
    activation: str
    projection: int
    """Width of the pooled output; 0 without a projection."""


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """A recognised file: its family and the sizes of its networks. No weights are held."""

    path: Path
    family: Family
    title: str
    unet: UNetShape
    vae: VAEShape | None
    """None when the file brings no autoencoder."""
    text: tuple[TextShape, ...]
    latent_scale: float
    """Factor from the autoencoder's latents to the UNet's."""
    native_size: int
    """Side in pixels: the file's `modelspec.resolution`, else the yaml next to it, else the family's."""
    schedule: tuple[int, float, float]
    """Training steps, first and last beta of the scaled-linear schedule."""
    tokenizer: Path | None
    """A folder of its own with vocab.json and merges.txt; None for CLIP's vocabulary."""
    dtype: str


def read_checkpoint(path: Path) -> Checkpoint:
    """Recognises `path` from its header.

    Raises FlipbookError when it is not a checkpoint of a known family, saying what it is instead.
    """
    header = read_header(path)
    family = family_of(header)
    if family is None:
        raise FlipbookError(
            Problem(
                f"{path.name} is not a checkpoint that can paint here: {_what(header)}.",
                code="model.checkpoint",
            )
        )
    if predicts_velocity(header):
        raise FlipbookError(
            Problem(
                f"{path.name} predicts velocities (v-prediction), which is not supported; use a checkpoint "
                "that predicts noise.",
                code="model.unsupported",
            )
        )
    constants = json.loads(files("lib_anim.models").joinpath(f"configs/{family}.json").read_text("utf-8"))
    config = yaml_config(path)
    if config.unet:
        constants["unet"] = {k: v for k, v in constants["unet"].items() if "head" not in k} | config.unet
    constants["latent_scale"] = config.latent_scale or constants["latent_scale"]
    try:
        unet = _unet(header, constants["unet"])
        text = tuple(_text(header, t | config.text) for t in constants["text"])
        vae = _vae(header, constants)
    except (KeyError, ValueError, IndexError, ZeroDivisionError) as error:
        raise FlipbookError(
            Problem(
                f"{path.name} looks like {constants['title']}, but a part is missing or misshapen ({error}).",
                code="model.damaged",
            )
        ) from error
    if vae is not None and vae.latent_channels != unet.out_channels:
        raise FlipbookError(
            Problem(
                f"{path.name} does not fit together: its VAE has {vae.latent_channels} latent channels, "
                f"its UNet {unet.out_channels}.",
                code="model.vae",
            )
        )
    dtype = header.tensors[UNET + "input_blocks.0.0.weight"].dtype
    if not dtype.startswith(FLOATS):
        raise FlipbookError(
            Problem(
                f"{path.name} holds its weights as {dtype}, which is not supported; use a version in F16.",
                code="model.unsupported",
            )
        )
    s = constants["schedule"] | config.schedule
    return Checkpoint(
        path=path,
        family=family,
        title=constants["title"],
        unet=unet,
        vae=vae,
        text=text,
        latent_scale=constants["latent_scale"],
        native_size=_native_size(header, config.native_size or constants["native_size"]),
        schedule=(s["steps"], s["beta_start"], s["beta_end"]),
        tokenizer=config.tokenizer,
        dtype=dtype,
    )


def family_of(header: Header) -> Family | None:
    """`sd1` or `sdxl` for a whole checkpoint in the original layout, None for anything else."""
    if UNET + "input_blocks.0.0.weight" not in header.tensors:
        return None
    if header.under("conditioner.embedders.1.model.") and header.under(
        "conditioner.embedders.0.transformer."
    ):
        return "sdxl"
    if header.under("cond_stage_model.transformer."):
        return "sd1"
    return None


def _what(header: Header) -> str:
    """What a file that is not a SD 1.x or SDXL checkpoint looks like, for a sentence."""
    what = detect(header.tensors)
    if what is not None:
        return f"it is {what}"
    return f"none of its {len(header.tensors)} tensors has a name of an SD 1.x or SDXL checkpoint"


def predicts_velocity(header: Header) -> bool:
    """Whether the file says that its UNet predicts velocities (Salimans & Ho 2022, "v-prediction").

    Trainers mark it with an empty tensor or in Stability AI's ModelSpec; many SD 1.x files say nothing.
    """
    marked = any(key in header.tensors for key in ("v_pred", "edm_vpred.sigma_max"))
    return marked or header.metadata.get("modelspec.prediction_type") == "v"


def _unet(header: Header, constants: dict[str, Any]) -> UNetShape:
    """Sizes of the UNet: openaimodel.py's layout of input_blocks, one block per layer or downsampling."""
    blocks = 1 + max(int(k[len(UNET) :].split(".")[1]) for k in header.under(UNET + "input_blocks."))
    downs = [i for i in range(1, blocks) if UNET + f"input_blocks.{i}.0.op.weight" in header.tensors]
    layers = (downs[0] if downs else blocks) - 1
    levels = len(downs) + 1
    starts = [1 + level * (layers + 1) for level in range(levels)]
    if downs != [start - 1 for start in starts[1:]] or blocks != levels * (layers + 1):
        raise ValueError("its levels have unequal numbers of layers")
    channels = tuple(header.shape(UNET + f"input_blocks.{i}.0.out_layers.3.weight")[0] for i in starts)
    depths = tuple(_depth(header, UNET + f"input_blocks.{i}.1.") for i in starts)
    first = header.shape(UNET + "input_blocks.0.0.weight")
    middle = UNET + "middle_block.1."
    heads = tuple(constants.get("heads") or width // constants["head_size"] or 1 for width in channels)
    vector = UNET + "label_emb.0.0.weight"
    return UNetShape(
        in_channels=first[1],
        out_channels=header.shape(UNET + "out.2.weight")[0],
        channels=channels,
        layers=layers,
        depths=depths,
        mid_depth=_depth(header, middle),
        context=header.shape(middle + "transformer_blocks.0.attn2.to_k.weight")[1],
        heads=heads,
        linear_projection=len(header.shape(middle + "proj_in.weight")) == 2,
        vector=header.shape(vector)[1] if vector in header.tensors else 0,
        size_embedding=constants.get("size_embedding", 0),
        norm_eps=constants["norm_eps"],
        norm_groups=constants["norm_groups"],
    )


def _depth(header: Header, prefix: str) -> int:
    """Number of transformer blocks under `prefix`."""
    found = header.under(prefix + "transformer_blocks.")
    return len({key[len(prefix) :].split(".")[1] for key in found})


def _vae(header: Header, constants: dict[str, Any]) -> VAEShape | None:
    if not header.under(VAE + "decoder."):
        return None
    return _vae_shape(header, VAE, constants["vae"]["norm_groups"], constants["latent_scale"])


def read_vae(header: Header, scale: float, norm_groups: int = 32) -> VAEShape:
    """Sizes of a VAE in a file of its own, in either layout; FlipbookError for other files."""
    for prefix in (VAE, ""):
        if prefix + "decoder.conv_in.weight" in header.tensors:
            try:
                return _vae_shape(header, prefix, norm_groups, scale)
            except (KeyError, IndexError, ValueError) as error:
                raise FlipbookError(
                    Problem(
                        f"{header.path.name} looks like a VAE, but {error} is missing.",
                        field="vae",
                        code="model.vae",
                    )
                ) from error
    raise FlipbookError(
        Problem(f"{header.path.name} is not a VAE: {_what(header)}.", field="vae", code="model.vae")
    )


def _vae_shape(header: Header, prefix: str, norm_groups: int, scale: float) -> VAEShape:
    """Sizes of the autoencoder whose names start with `prefix`; KeyError when a part is missing."""
    level, block = "encoder.down.{}.", "block.{}.conv1.weight"
    if header.under(prefix + "encoder.down_blocks."):
        level, block = "encoder.down_blocks.{}.", "resnets.{}.conv1.weight"

    def present(pattern: str) -> int:
        return next(i for i in range(1000) if prefix + pattern.format(i) not in header.tensors)

    levels = present(level + block.format(0))
    if not levels:
        raise KeyError("its encoder")
    widths = [header.shape(prefix + (level + block.format(0)).format(i))[0] for i in range(levels)]
    return VAEShape(
        channels=tuple(widths),
        layers=present(level.format(0) + block),
        latent_channels=header.shape(prefix + "decoder.conv_in.weight")[1],
        norm_groups=norm_groups,
        scale=scale,
    )


def _text(header: Header, constants: dict[str, Any]) -> TextShape:
    """Sizes of a CLIP text model in transformers' or open_clip's naming."""
    prefix = constants["prefix"]
    if constants["layout"] == "transformers":
        # Merges of the first files have the text model's parts without this word.
        root = prefix + ("text_model." if header.under(prefix + "text_model.") else "")
        token, position = (
            root + "embeddings.token_embedding.weight",
            root + "embeddings.position_embedding.weight",
        )
        layers, feed = root + "encoder.layers.", "mlp.fc1.weight"
        projection = "no projection in this layout"
    else:
        token, position = prefix + "token_embedding.weight", prefix + "positional_embedding"
        layers, feed = prefix + "transformer.resblocks.", "mlp.c_fc.weight"
        projection = prefix + "text_projection"
    vocabulary, width = header.shape(token)
    return TextShape(
        layout=constants["layout"],
        prefix=prefix,
        vocabulary=vocabulary,
        positions=header.shape(position)[0],
        width=width,
        hidden=header.shape(f"{layers}0.{feed}")[0],
        layers=len({key[len(layers) :].split(".")[0] for key in header.under(layers)}),
        heads=constants.get("heads") or max(1, width // constants["head_size"]),
        activation=constants["activation"],
        projection=header.shape(projection)[1] if projection in header.tensors else 0,
    )


def _native_size(header: Header, otherwise: int) -> int:
    """Side from `modelspec.resolution` ("512x512", Stability AI's ModelSpec), else `otherwise`."""
    width, _, height = header.metadata.get("modelspec.resolution", "").partition("x")
    return min(int(width), int(height)) if width.isdigit() and height.isdigit() else otherwise
