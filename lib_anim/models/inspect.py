"""Describe a weights file in one sentence from its header, without torch and without reading weights."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from lib_anim.errors import FlipbookError
from lib_anim.models.checkpoint import VAE, family_of, read_checkpoint, read_vae
from lib_anim.models.detect import UNET, detect
from lib_anim.models.header import Header, is_archive, read_header
from lib_anim.models.keys import DOWNS, KRONECKER, OTHERS, inversion_keys, is_lora
from lib_anim.models.motion.facts import is_motion, motion_facts
from lib_anim.models.motion.keys import UNNAMED, is_motion_lora, unwrapped
from lib_anim.models.pickled import names_in
from lib_anim.models.table import Table, read_table

Kind = Literal["checkpoint", "vae", "lora", "embedding", "motion module", "controlnet", "other", "broken"]

CONTEXTS = {768: "SD 1.x", 1024: "SD 2.x", 2048: "SDXL"}
"""Widths of the text embedding that the published families have."""

KINDS = {
    ".lokr_": "a LoKr",
    ".hada_": "a LoHa",
    ".dora_scale": "a DoRA",
    ".lora_magnitude_vector": "a DoRA",
    ".on_input": "an IA3",
    ".a1.weight": "a GLoRA",
    ".oft_": "an OFT",
    ".diff": "a LyCORIS of whole matrices",
}
"""Parts of names that tell a LoRA's kin apart."""

STRANGERS = ("a Stable Diffusion 3 model", "a Flux model", "a Stable Video Diffusion model")
"""Families that have other names than a UNet's in the original layout."""


@dataclass(frozen=True)
class Finding:
    """What a file is."""

    kind: Kind
    sentence: str
    """Ends with a full stop; names the file."""
    family: str | None = None
    """`sd1`, `sdxl` for checkpoints; None where it does not matter or is not known."""


def inspect(path: Path) -> Finding:
    """What the file `path` is. Broken files are a finding, a missing one raises NotFound."""
    try:
        header = read_header(path)
    except FlipbookError as error:
        if not path.is_file():
            raise
        # A whole file of another format is not used here, but nothing is wrong with it.
        kind: Kind = "other" if detect(names_in(path)) else "broken"
        return _archived(path) or Finding(kind, str(error))
    table = Table.of(header)
    for found in (
        _checkpoint(header),
        _lora(table),
        _motion(table),
        _embedding(header),
        _controlnet(header),
        _stranger(header),
        _vae(header),
    ):
        if found is not None:
            return found
    what = detect(header.tensors)
    if what is not None:
        return Finding("other", f"{path.name} is {what} ({_millions(header)}), which is not used here.")
    return Finding(
        "other",
        f"{path.name} holds {len(header.tensors)} tensors ({_millions(header)}, {_dtypes(header)}) whose "
        "names belong to no kind of weights that is used here.",
    )


def _checkpoint(header: Header) -> Finding | None:
    if UNET + "input_blocks.0.0.weight" not in header.tensors:
        return None
    family = family_of(header)
    try:
        found = read_checkpoint(header.path)
    except FlipbookError as error:
        return Finding("broken" if family else "other", str(error), family)
    widths = "·".join(str(width) for width in found.unet.channels)
    vae = "with a VAE" if found.vae else "without a VAE"
    inpainting = " for inpainting" if found.unet.for_inpainting else ""
    return Finding(
        "checkpoint",
        f"{header.path.name} is a {found.title} checkpoint{inpainting} ({_millions(header)}, "
        f"{_dtypes(header)}), {vae}, UNet {widths} wide, text {found.unet.context} wide, at home at "
        f"{found.native_size} pixels.",
        family,
    )


def _archived(path: Path) -> Finding | None:
    """What a torch file is, for the kinds that are read from such; None for all others."""
    if not is_archive(path):
        return None
    try:
        table = read_table(path)
    except FlipbookError:
        return None
    from lib_anim.models.archive import header_of

    vae = _vae(header_of(path)) if detect(table.shapes) == "a VAE" else None
    return _lora(table) or _motion(table) or vae or _inversion(path)


def _inversion(path: Path) -> Finding | None:
    """A textual inversion in a torch file."""
    from lib_anim.models.inversion import read_inversion

    try:
        word = read_inversion(path)
    except FlipbookError:
        return None
    return _word(path.name, [tuple(vectors.shape) for vectors in word.vectors])


def _lora(table: Table) -> Finding | None:
    if not is_lora(table.shapes):
        return None
    ends = (*DOWNS, *KRONECKER, *OTHERS)
    downs = {key: shape for key, shape in table.shapes.items() if key.endswith(ends)}
    narrow = (*DOWNS, ".a1.weight")
    ranks = Counter(shape[0] for key, shape in downs.items() if shape and key.endswith(narrow))
    rank = "/".join(str(r) for r, _ in ranks.most_common(2))
    if is_motion_lora(table):
        director = table.metadata.get("model_type") == "motion_director"
        kind = "the motion of a MotionDirector training, a motion LoRA" if director else "a motion LoRA"
        middle = ", also in the middle block" if any("mid_block" in key for key in downs) else ""
        return Finding("lora", f"{table.name} is {kind} of rank {rank} ({len(downs)} layers{middle}).")
    keys = {
        shape[1]
        for key, shape in downs.items()
        if len(shape) > 1 and re.search(r"attn2[._](processor\.)?to_k", key)
    }
    for_ = next((f" for {CONTEXTS[width]}" for width in keys if width in CONTEXTS), "")
    parts = []
    if any("unet" in key or unwrapped(key).startswith(UNNAMED) for key in downs):
        parts.append("the UNet")
    if any(key.startswith(("lora_te", "text_encoder")) for key in downs):
        parts.append("the text encoder")
    what = " and ".join(parts) or "layers of unknown networks"
    kind = next(
        (kind for ending, kind in KINDS.items() if any(ending in key for key in table.shapes)), "a LoRA"
    )
    of_rank = f" of rank {rank}" if rank else ""
    return Finding(
        "lora", f"{table.name} is {kind}{for_}{of_rank} that changes {what} ({len(downs)} layers)."
    )


def _motion(table: Table) -> Finding | None:
    if not is_motion(table):
        return None
    try:
        facts = motion_facts(table)
    except FlipbookError as error:
        return Finding("motion module", error.problems[0].message)
    return Finding("motion module", facts.sentence, facts.base)


def _embedding(header: Header) -> Finding | None:
    keys = inversion_keys(Table.of(header).shapes)
    if not keys:
        return None
    return _word(header.path.name, [header.shape(key) for key in keys])


def _word(name: str, shapes: list[tuple[int, ...]]) -> Finding:
    count = shapes[0][0] if len(shapes[0]) == 2 else 1
    width = sum(shape[-1] for shape in shapes)
    family = CONTEXTS.get(width, f"models {width} wide")
    vectors = "1 vector" if count == 1 else f"{count} vectors"
    return Finding("embedding", f"{name} is a textual inversion of {vectors} for {family}.")


def _controlnet(header: Header) -> Finding | None:
    if not any("input_hint_block" in k or "controlnet_cond_embedding" in k for k in header.tensors):
        return None
    keys = [e.shape for k, e in header.tensors.items() if k.endswith("attn2.to_k.weight")]
    widths = {shape[1] for shape in keys if len(shape) > 1}
    for_ = next((f" for {CONTEXTS[width]}" for width in widths if width in CONTEXTS), "")
    return Finding(
        "controlnet", f"{header.path.name} is a ControlNet{for_} ({_millions(header)}, {_dtypes(header)})."
    )


def _stranger(header: Header) -> Finding | None:
    """Whole models of other families, which bring a VAE too."""
    what = detect(header.tensors)
    if what not in STRANGERS:
        return None
    return Finding("other", f"{header.path.name} is {what} ({_millions(header)}), which cannot paint here.")


def _vae(header: Header) -> Finding | None:
    if not any(prefix + "decoder.conv_in.weight" in header.tensors for prefix in (VAE, "")):
        return None
    try:
        shape = read_vae(header, 1.0)
    except FlipbookError as error:
        return Finding("broken", str(error))
    factor = 2 ** (len(shape.channels) - 1)
    return Finding(
        "vae",
        f"{header.path.name} is a VAE ({_millions(header)}, {_dtypes(header)}) with {shape.latent_channels} "
        f"latent channels, {factor} pixels per latent.",
    )


def _millions(header: Header) -> str:
    """Number of values in words, such as `860 M parameters`."""
    count = sum(entry.count for entry in header.tensors.values())
    return f"{count / 1e6:.3g} M parameters" if count >= 1e5 else f"{count:,} parameters"


def _dtypes(header: Header) -> str:
    """The types of most values, such as `F16`."""
    counts: Counter[str] = Counter()
    for entry in header.tensors.values():
        counts[entry.dtype] += entry.count
    return "/".join(name for name, _ in counts.most_common(2))
