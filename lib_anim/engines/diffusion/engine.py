"""The embedded engine: paints with a user's checkpoint on diffusers' networks and an own sampling loop."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import replace
from functools import cached_property
from pathlib import Path

import diffusers
import torch

from lib_anim.engines.contract.capabilities import Capabilities, ClipCapabilities
from lib_anim.engines.contract.checks import check, check_clip
from lib_anim.engines.contract.engine import Engine, OnStep
from lib_anim.engines.contract.requests import ClipRequest, StillRequest
from lib_anim.engines.diffusion.clip import paint_clip
from lib_anim.engines.diffusion.motion_store import MotionModuleStore
from lib_anim.engines.diffusion.painter import Habits, Painter
from lib_anim.engines.sampling.noise import NoiseSource
from lib_anim.engines.sampling.noise_levels import SPACINGS
from lib_anim.engines.sampling.samplers import SAMPLERS
from lib_anim.errors import FlipbookError, Problem
from lib_anim.imaging.fit import fit
from lib_anim.models.checkpoint import Checkpoint, read_checkpoint
from lib_anim.models.folders import TORCH, WORDS, ModelFolders, weights_in
from lib_anim.models.inversion import Inversion, read_inversion
from lib_anim.motion.session import is_shortage
from lib_anim.motion.sites import sites_of_diffusers
from lib_anim.types import AttentionBackend, Picture

LOADED = 2
"""Checkpoints whose weights stay in memory."""


def open_engine(
    checkpoint: Path,
    *,
    device: str | None = None,
    folders: ModelFolders | None = None,
    noise: NoiseSource = "cpu",
    ancestral_delta: int = 0,
    attention: AttentionBackend = "sdpa",
) -> Engine:
    """An engine that paints with `checkpoint`, a single .safetensors file in the original layout.

    `device` as torch names it; None takes CUDA when there is one, else the CPU. Weights are float16 on
    CUDA and float32 elsewhere. `folders` says where LoRAs, embeddings and VAEs lie; None looks where the
    WebUI keeps them, or beside the file. `noise` is the WebUI's "Random number generator source",
    `ancestral_delta` its "Eta noise seed delta". Raises FlipbookError when the file or device cannot be used.
    """
    path = Path(checkpoint)
    found = _paintable(read_checkpoint(path))
    habits = Habits(source=noise, ancestral_delta=ancestral_delta, attention=attention)
    return DiffusersEngine(found, _device(device), folders or ModelFolders.around(path), habits)


def _device(name: str | None) -> torch.device:
    if name is None:
        name = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        torch.empty(0, device=name)
    except (RuntimeError, AssertionError) as error:
        raise FlipbookError(
            Problem(
                f'"{name}" cannot be used here ({str(error).splitlines()[0]}); try "cpu".', field="device"
            )
        ) from error
    return torch.device(name)


def _paintable(checkpoint: Checkpoint) -> Checkpoint:
    """The checkpoint, unless its UNet wants what no request has. Raises FlipbookError."""
    takes, gives = checkpoint.unet.in_channels, checkpoint.unet.out_channels
    if takes != gives and not checkpoint.unet.for_inpainting:
        raise FlipbookError(
            Problem(
                f"{checkpoint.path.name} takes {takes} channels where {gives} are latents, as checkpoints "
                "do that follow instructions or depth; use an ordinary or an inpainting checkpoint.",
                field="checkpoint",
            )
        )
    return checkpoint


class DiffusersEngine:
    """Paints stills with a checkpoint, or several from one folder. Made by `open_engine`."""

    def __init__(
        self, checkpoint: Checkpoint, device: torch.device, folders: ModelFolders, habits: Habits
    ) -> None:
        self._checkpoint = checkpoint
        self._device = device
        self._dtype = torch.float16 if device.type == "cuda" else torch.float32
        self._folders = folders
        self._habits = habits
        self._warnings: list[str] = []
        self._inversions = self._read_inversions()
        self._beside = weights_in((checkpoint.path.parent,))
        self._motion = MotionModuleStore(folders.motion, folders.loras)
        self._painters: OrderedDict[Path, Painter] = OrderedDict()
        self._painter(None)

    @property
    def name(self) -> str:
        return "diffusers"

    @property
    def capabilities(self) -> Capabilities:
        motion = self._motion.choices(sites_of_diffusers(self._painter(None).unet))
        return replace(self._abilities, vaes=self._vaes(), clip=ClipCapabilities(motion_modules=motion))

    @property
    def _abilities(self) -> Capabilities:
        """The capabilities without those for which folders are searched: what a still is checked by."""
        return Capabilities(
            samplers=tuple(SAMPLERS),
            schedulers=("Automatic", *SPACINGS),
            multiple_of=8,
            inpaint=True,
            travel=True,
            tiling=True,
            subseed=True,
            checkpoints=tuple(self._beside),
            native_size=self._checkpoint.native_size,
        )

    @cached_property
    def fingerprint(self) -> str:
        path = self._checkpoint.path
        with path.open("rb") as file:
            digest = hashlib.sha256()
            for block in iter(lambda: file.read(1 << 20), b""):
                digest.update(block)
        dtype = str(self._dtype).removeprefix("torch.")
        return (
            f"diffusers engine, {path.name} sha256 {digest.hexdigest()}, {self._device}, {dtype}, "
            f"{self._habits.source} noise, delta {self._habits.ancestral_delta}, {self._attention_text}"
            f"torch {torch.__version__}, diffusers {diffusers.__version__}"
        )

    @property
    def _attention_text(self) -> str:
        """Backends other than SDPA change the last digits, so they are part of the fingerprint."""
        backend = self._habits.attention
        return "" if backend == "sdpa" else f"attention {backend}, "

    @property
    def warnings(self) -> tuple[str, ...]:
        return tuple(self._warnings)

    def still(self, request: StillRequest, on_step: OnStep | None = None) -> Picture:
        """One picture; see `Engine.still`. Short of memory, it is tried once more in smaller pieces."""
        check(request, self._abilities)
        with torch.inference_mode():
            painter = self._painter(request.checkpoint)
            try:
                return painter.paint(request, on_step, small=False)
            except RuntimeError as error:
                if not is_shortage(error):
                    raise
            self._make_room(painter)
            self._warn("Memory ran out; the request was painted in smaller pieces.")
            try:
                return painter.paint(request, on_step, small=True)
            except RuntimeError as error:
                if not is_shortage(error):
                    raise
                raise FlipbookError(
                    Problem(
                        f"{request.width}×{request.height} does not fit into memory, even in smaller pieces; "
                        "use a smaller size.",
                        field="width",
                    )
                ) from error

    def clip(self, request: ClipRequest, on_step: OnStep | None = None) -> Iterator[Picture]:
        """A clip; see `Engine.clip`. Short of memory, attention and decoding go on in smaller pieces."""
        check_clip(request, self.capabilities)
        return self._clip(request, on_step)

    def _clip(self, request: ClipRequest, on_step: OnStep | None) -> Iterator[Picture]:
        with torch.inference_mode():
            painter = self._painter(request.checkpoint)
        try:
            yield from paint_clip(painter, request, self._motion, on_step)
        except RuntimeError as error:
            if not is_shortage(error):
                raise
            self._free()
            raise FlipbookError(
                Problem(
                    f"{len(request.frames)} frames of {request.width}×{request.height} do not fit into "
                    "memory; use a smaller size or a smaller context.",
                    field="width",
                )
            ) from error

    def upscale(self, picture: Picture, upscaler: str, width: int, height: int) -> Picture:
        """See `Engine.upscale`; there is Lanczos."""
        return fit(picture, width, height, "stretch")

    def close(self) -> None:
        """Frees the networks; the engine cannot be used afterwards."""
        self._painters.clear()
        self._free()

    def _painter(self, name: str | None) -> Painter:
        """The checkpoint called `name`, loaded once; of several the latest used stay in memory."""
        path = self._checkpoint.path if name is None else self._beside[name]
        if path not in self._painters:
            found = self._checkpoint if path == self._checkpoint.path else _paintable(read_checkpoint(path))
            while len(self._painters) >= LOADED:
                self._painters.popitem(last=False)
            self._painters[path] = self._loaded(found)
        self._painters.move_to_end(path)
        return self._painters[path]

    def _loaded(self, checkpoint: Checkpoint) -> Painter:
        """The checkpoint's networks; short of memory, once more when no other checkpoint is held."""

        def load() -> Painter:
            return Painter(
                checkpoint,
                self._device,
                self._dtype,
                self._folders,
                self._inversions,
                self._habits,
                self._warn,
            )

        try:
            return load()
        except (RuntimeError, MemoryError) as error:
            if isinstance(error, RuntimeError) and not is_shortage(error):
                raise
        self._make_room()
        try:
            return load()
        except (RuntimeError, MemoryError) as error:
            if isinstance(error, RuntimeError) and not is_shortage(error):
                raise
            raise FlipbookError(
                Problem(
                    f"{checkpoint.path.name} does not fit into memory on {self._device}; "
                    "close other programs or use a smaller checkpoint.",
                    field="checkpoint",
                )
            ) from error

    def _make_room(self, kept: Painter | None = None) -> None:
        """Gives back the memory of all checkpoints but `kept`."""
        for path in [path for path, painter in self._painters.items() if painter is not kept]:
            del self._painters[path]
        self._free()

    def _vaes(self) -> tuple[str, ...]:
        """Names of VAEs; among checkpoints only those that are called so."""
        home = self._checkpoint.path.absolute().parent
        found = weights_in(self._folders.vaes, TORCH)
        return tuple(n for n, p in found.items() if n.endswith(".vae") or p.absolute().parent != home)

    def _read_inversions(self) -> list[Inversion]:
        """Every textual inversion in the folders; a file that is none is named once and passed over."""
        found: list[Inversion] = []
        for path in weights_in(self._folders.embeddings, WORDS).values():
            try:
                found.append(read_inversion(path))
            except FlipbookError as error:
                self._warn(f"An embedding was passed over: {error}")
        return found

    def _free(self) -> None:
        if self._device.type == "cuda":
            torch.cuda.empty_cache()

    def _warn(self, sentence: str) -> None:
        if sentence not in self._warnings:
            self._warnings.append(sentence)
