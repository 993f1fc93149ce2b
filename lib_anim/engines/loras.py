"""`<lora:name:weight>` in prompts, and LoRAs in force on a checkpoint's networks."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from lib_anim.errors import FlipbookError, Problem
from lib_anim.models.inversion import Inversion
from lib_anim.models.lora import Lora


@dataclass(frozen=True)
class Use:
    """One LoRA that a prompt asks for."""

    name: str
    text: float
    """Strength on the text encoder."""
    unet: float


def taken_out(prompt: str) -> tuple[str, tuple[Use, ...]]:
    """The prompt without its `<lora:…>` tags, and what they ask for.

    `<lora:name>`, `<lora:name:0.8>`, `<lora:name:text:unet>`, `<lora:name:te=0.5:unet=1>`. Raises
    FlipbookError for numbers that are none and for other tags of extra networks (`<hypernet:…>`).
    """
    uses: dict[str, Use] = {}

    def take(found: re.Match[str]) -> str:
        kind, body = found.groups()
        if kind not in ("lora", "lyco"):
            raise FlipbookError(Problem(f"{found.group(0)} is not supported; remove it.", field="prompt"))
        use = _use(found.group(0), body.split(":"))
        uses.setdefault(use.name, use)
        return ""

    return re.sub(r"<(\w+):([^>]+)>", take, prompt), tuple(uses.values())


def _use(tag: str, fields: list[str]) -> Use:
    name, *rest = (part.strip() for part in fields)
    named = dict(part.split("=", 1) for part in rest if "=" in part)
    plain = [part for part in rest if "=" not in part]
    unknown = sorted(set(named) - {"te", "unet"})
    try:
        if unknown or len(plain) > 2:
            raise ValueError(unknown)
        text = float(named.get("te", plain[0] if plain else 1))
        return Use(name, text, float(named.get("unet", plain[1] if len(plain) > 1 else text)))
    except ValueError as error:
        raise FlipbookError(
            Problem(
                f"{tag} cannot be read; write <lora:name:weight> or <lora:name:text:unet>.", field="prompt"
            )
        ) from error


class LoraRack:
    """Adds LoRAs to weights and takes them off again exactly: it keeps the weights that it changes."""

    def __init__(self, layers: Mapping[str, nn.Module], find: Callable[[str], Lora]) -> None:
        """`layers`: every layer by kohya's name for it; `find` reads the LoRA of a name."""
        self._layers = layers
        self._find = find
        self._read: dict[str, Lora] = {}
        self._kept: dict[tuple[nn.Module, str], Tensor | None] = {}
        """By layer, which LoRAs may call by different names, and parameter; None for a bias that it lacks."""
        self._changed: set[tuple[nn.Module, str]] = set()
        """What of it has other values now."""
        self.uses: tuple[Use, ...] = ()
        """What is in force."""

    @property
    def inversions(self) -> tuple[Inversion, ...]:
        """The textual inversions that the LoRAs in force bring along."""
        return tuple(word for use in self.uses for word in self._lora(use.name).embeddings)

    def wear(self, uses: tuple[Use, ...]) -> list[str]:
        """Puts exactly `uses` in force; gives sentences about what of them is left out.

        Nothing is done when they are in force already. When one cannot be read, none is in force.
        """
        if uses == self.uses:
            return []
        loras = [self._lora(use.name) for use in uses]
        self._restore()
        sentences: list[str] = []
        try:
            for use, lora in zip(uses, loras, strict=True):
                strangers = self._add(use, lora)
                if strangers:
                    sentences.append(
                        f'{strangers} of {len(lora.changes)} layers of the LoRA "{use.name}" do not exist in '
                        "this checkpoint and are left out."
                    )
        except BaseException:
            self._restore()
            raise
        self._kept = {key: value for key, value in self._kept.items() if key in self._changed}
        self.uses = uses
        return sentences

    def _lora(self, name: str) -> Lora:
        if name not in self._read:
            self._read[name] = self._find(name)
        return self._read[name]

    def _restore(self) -> None:
        """Takes everything off. What was kept stays for the next LoRAs: most change the same layers."""
        for module, part in self._changed:
            value = self._kept[module, part]
            if value is None:
                setattr(module, part, None)
            else:
                getattr(module, part).data.copy_(value)
        self._changed.clear()
        self.uses = ()

    def _add(self, use: Use, lora: Lora) -> int:
        """Adds one LoRA; gives the number of its layers that the networks lack."""
        if not any(self._fits(layer, lora) for layer in lora.changes):
            raise FlipbookError(
                Problem(
                    f'the LoRA "{use.name}" is for another kind of checkpoint; no layer fits.', field="prompt"
                )
            )
        strangers = 0
        for layer, change in lora.changes.items():
            strength = use.unet if layer.startswith("lora_unet_") else use.text
            if not self._fits(layer, lora):
                strangers += 1
            elif strength:
                weight = self._weight(layer)
                self._move(layer, "weight", change.delta(weight) * strength)
                if change.bias is not None:
                    self._move(layer, "bias", change.bias.to(weight.device, torch.float32) * strength)
        return strangers

    def _move(self, layer: str, part: str, by: Tensor) -> None:
        """Adds `by` to a layer's weight or bias, and keeps what was there before the first LoRA."""
        module = self._layers[layer]
        now = getattr(module, part)
        if (module, part) not in self._kept:
            self._kept[module, part] = None if now is None else _compact_copy(now.data)
        self._changed.add((module, part))
        if now is None:
            setattr(module, part, nn.Parameter(by.to(self._weight(layer)), requires_grad=False))
        else:
            now.data.copy_(now.data.float() + by)

    def _fits(self, layer: str, lora: Lora) -> bool:
        if layer not in self._layers:
            return False
        weight, change = self._weight(layer), lora.changes[layer]
        return change.fits(weight) and (change.bias is None or len(change.bias) == weight.shape[0])

    def _weight(self, layer: str) -> Tensor:
        weight = self._layers[layer].weight
        assert isinstance(weight, torch.nn.Parameter)
        return weight.data


def _compact_copy(weight: Tensor) -> Tensor:
    """`weight` on the CPU, where a card's memory is not needed for it; in 16 bits where they say the same.

    They do for weights that a file brought in 16 bits, also where the network works in 32.
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
