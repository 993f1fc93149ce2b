"""LoRAs: parses `<lora:name:weight>` in prompts and applies LoRAs to a checkpoint's networks."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Hashable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from lib_anim.errors import FlipbookError, Problem
from lib_anim.models.folders import stamp
from lib_anim.models.inversion import Inversion
from lib_anim.models.lora.deltas import Change
from lib_anim.models.lora.reader import Lora, read_lora
from lib_anim.motion.session import is_out_of_memory

INPAINTING = 9
"""Input channels of an inpainting checkpoint's first convolution; a LoRA's change is for the first four."""


@dataclass(frozen=True)
class LoraUse:
    """One LoRA that a prompt requests."""

    name: str
    text: float
    """Strength on the text encoder."""
    unet: float


def extract_loras(prompt: str) -> tuple[str, tuple[LoraUse, ...]]:
    """Returns the prompt without its `<lora:…>` tags, and the LoRAs that they request.

    `<lora:name>`, `<lora:name:0.8>`, `<lora:name:text:unet>`, `<lora:name:te=0.5:unet=1>`. Raises
    FlipbookError for invalid numbers and for other extra networks' tags (`<hypernet:…>`).
    """
    uses: dict[str, LoraUse] = {}

    def take(found: re.Match[str]) -> str:
        kind, body = found.groups()
        if kind not in ("lora", "lyco"):
            raise FlipbookError(
                Problem(
                    f"{found.group(0)} is not supported; remove it",
                    field="prompt",
                    code="prompt.unsupported_tag",
                )
            )
        use = _use(found.group(0), body.split(":"))
        uses.setdefault(use.name, use)
        return ""

    return re.sub(r"<(\w+):([^>]+)>", take, prompt), tuple(uses.values())


def _use(tag: str, fields: list[str]) -> LoraUse:
    name, *rest = (part.strip() for part in fields)
    named = dict(part.split("=", 1) for part in rest if "=" in part)
    plain = [part for part in rest if "=" not in part]
    unknown = sorted(set(named) - {"te", "unet"})
    try:
        if unknown or len(plain) > 2:
            raise ValueError(unknown)
        text = float(named.get("te", plain[0] if plain else 1))
        unet = float(named.get("unet", plain[1] if len(plain) > 1 else text))
        if not (math.isfinite(text) and math.isfinite(unet)):
            raise ValueError(tag)
        return LoraUse(name, text, unet)
    except ValueError as error:
        raise FlipbookError(
            Problem(
                f"{tag} cannot be read; write <lora:name:weight> or <lora:name:text:unet>",
                field="prompt",
                code="lora.syntax",
            )
        ) from error


class LoraManager:
    """Applies LoRAs to weights and removes them exactly, by keeping copies of the original weights."""

    def __init__(self, layers: Mapping[str, nn.Module], find: Callable[[str], Path]) -> None:
        """`layers`: every layer by its kohya name; `find`: LoRA name → file."""
        self._layers = layers
        self._find = find
        self._read: dict[str, tuple[tuple[Path, int, int], Lora]] = {}
        self._kept: dict[tuple[nn.Module, str], Tensor | None] = {}
        """Original values by (layer, parameter); None for a bias that the layer does not have."""
        self._changed: set[tuple[nn.Module, str]] = set()
        """Keys of `_kept` whose parameters are changed now."""
        self.variant: tuple[Hashable, ...] = ()
        """The active LoRAs and their files' stamps, on which embeddings depend."""
        self.inversions: tuple[Inversion, ...] = ()
        """Textual inversions inside the active LoRAs' files."""

    def apply(self, uses: tuple[LoraUse, ...]) -> list[str]:
        """Makes exactly `uses` active; returns warnings about layers that do not match.

        Does nothing when they are already active, from the same files. When one cannot be read or applied,
        none is active.
        """
        loras = [self._lora(use.name) for use in uses]
        variant = tuple((use, self._read[use.name][0]) for use in uses)
        if variant == self.variant and (variant or not self._changed):
            return []
        self._restore()
        sentences: list[str] = []
        try:
            for use, lora in zip(uses, loras, strict=True):
                unmatched = self._add(use, lora)
                if unmatched:
                    sentences.append(
                        f'{unmatched} of {len(lora.changes)} layers of the LoRA "{use.name}" do not exist in '
                        "this checkpoint and are left out."
                    )
        except BaseException:
            self._restore()
            raise
        self._kept = {key: value for key, value in self._kept.items() if key in self._changed}
        self.variant = variant
        self.inversions = tuple(word for lora in loras for word in lora.embeddings)
        return sentences

    def _lora(self, name: str) -> Lora:
        """The LoRA of a name, reloaded when its file has changed."""
        known = self._read.get(name)
        if known is None or not known[0][0].is_file() or stamp(known[0][0]) != known[0]:
            path = self._find(name)
            self._read[name] = stamp(path), read_lora(path)
        return self._read[name][1]

    def _restore(self) -> None:
        """Restores the original weights; keeps the copies, because most LoRAs change the same layers."""
        self.variant, self.inversions = (), ()
        for module, part in self._changed:
            value, now = self._kept[module, part], _values(module, part)
            if value is None:
                setattr(module, part, None)
            elif now is not None:
                now.copy_(value)
        self._changed.clear()

    def _add(self, use: LoraUse, lora: Lora) -> int:
        """Adds one LoRA; returns the number of its layers that the networks lack."""
        unmatched, fitting = 0, False
        for layer, change in lora.changes.items():
            strength = use.unet if layer.startswith("lora_unet_") else use.text
            module = self._layers.get(layer)
            weight = None if module is None else _values(module, "weight")
            if module is None or weight is None:
                unmatched += 1
                continue
            moved = self._moved(use, layer, change, weight, strength)
            if moved is None and not _is_inpainting_input(module):
                raise _other_kind(use, f"its layer {layer} has another size here")
            unmatched += moved is None
            fitting = fitting or moved is not None
            if moved is not None and strength:
                self._set(module, "weight", moved)
                if change.bias is not None:
                    self._set(
                        module, "bias", change.bias.to(weight.device, torch.float32) * strength, plus=True
                    )
        if not fitting:
            raise _other_kind(use, "no layer fits")
        return unmatched

    def _moved(
        self, use: LoraUse, layer: str, change: Change, weight: Tensor, strength: float
    ) -> Tensor | None:
        """`weight` with the change in float32; None where the change is for another size."""
        try:
            if not change.fits(weight) or (change.bias is not None and change.bias.shape != weight.shape[:1]):
                return None
            if not strength:
                return weight
            moved = weight.float() + change.delta(weight) * strength
        except (ArithmeticError, IndexError, RuntimeError, TypeError, ValueError) as error:
            if isinstance(error, RuntimeError) and is_out_of_memory(error):
                raise
            raise FlipbookError(
                Problem(
                    f'the LoRA "{use.name}" is damaged: its layer {layer} does not fit together ({error}); '
                    "download it again",
                    field="prompt",
                    code="lora.damaged",
                )
            ) from error
        values = [moved.to(weight.dtype), *([] if change.bias is None else [change.bias * strength])]
        # Weights that were not finite before are reported after sampling, as the checkpoint's.
        if not all(bool(v.isfinite().all()) for v in values) and bool(weight.isfinite().all()):
            raise FlipbookError(
                Problem(
                    f'the LoRA "{use.name}" gives NaN or infinite values at strength {strength:g} '
                    f"({layer}); reduce the strength or download it again",
                    field="prompt",
                    code="lora.not_finite",
                )
            )
        return moved

    def _set(self, module: nn.Module, part: str, values: Tensor, *, plus: bool = False) -> None:
        """Sets a layer's weight or bias, or adds to it; keeps a copy of the original values."""
        now = _values(module, part)
        if (module, part) not in self._kept:
            self._kept[module, part] = None if now is None else _compact_copy(now)
        self._changed.add((module, part))
        if now is None:
            like = _values(module, "weight")
            setattr(module, part, nn.Parameter(values.to(like), requires_grad=False))
        else:
            now.copy_(now.float() + values if plus else values)


def _other_kind(use: LoraUse, why: str) -> FlipbookError:
    return FlipbookError(
        Problem(
            f'the LoRA "{use.name}" is for another kind of checkpoint: {why}; choose one of its family',
            field="prompt",
            code="lora.wrong_architecture",
        )
    )


def _is_inpainting_input(module: nn.Module) -> bool:
    return isinstance(module, nn.Conv2d) and module.in_channels == INPAINTING


def _values(module: nn.Module, part: str) -> Tensor | None:
    """A view of a layer's weight or bias; of an inpainting input convolution only the latents' four
    channels."""
    value = getattr(module, part)
    if value is None:
        return None
    data: Tensor = value.data
    return data[:, :4] if part == "weight" and _is_inpainting_input(module) else data


def _compact_copy(weight: Tensor) -> Tensor:
    """A copy of `weight` on the CPU, in 16 bits where that is lossless.

    It is lossless for weights that a file stores in 16 bits, also where the network runs in 32.
    """
    copy = weight.to("cpu", copy=True)
    if copy.dtype == torch.float32:
        for smaller in (copy.half(), copy.bfloat16()):
            if torch.equal(smaller.float(), copy):
                return smaller
    return copy


def layers_of(
    unet: nn.Module, texts: tuple[nn.Module, ...], ldm_names: Mapping[str, str]
) -> dict[str, nn.Module]:
    """Every linear layer, convolution and norm by kohya's names.

    `ldm_names`: diffusers' weight names to the original layout's, which SDXL files use for the UNet.
    """
    found: dict[str, nn.Module] = {}
    for name, layer in _weighted(unet):
        found["lora_unet_" + name.replace(".", "_")] = layer
        ldm = (
            ldm_names.get(f"{name}.weight", "").removeprefix("model.diffusion_model.").removesuffix(".weight")
        )
        found["lora_unet_" + ldm.replace(".", "_")] = layer
    found.pop("lora_unet_", None)
    for number, text in enumerate(texts, start=1):
        prefixes = ("lora_te_", "lora_te1_") if number == 1 else (f"lora_te{number}_",)
        for name, layer in _weighted(text):
            for prefix in prefixes:
                found[f"{prefix}text_model_{name.removeprefix('text_model.')}".replace(".", "_")] = layer
    return found


def _weighted(network: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    for name, layer in network.named_modules():
        if isinstance(layer, (nn.Linear, nn.Conv2d, nn.LayerNorm, nn.GroupNorm)):
            yield name, layer
