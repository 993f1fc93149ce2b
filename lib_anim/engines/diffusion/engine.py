"""The embedded engine: renders with a checkpoint on diffusers' networks and its own sampling loop."""

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
from lib_anim.engines.diffusion.painter import EngineOptions, Painter
from lib_anim.engines.sampling.noise import NoiseSource
from lib_anim.engines.sampling.noise_levels import SPACINGS
from lib_anim.engines.sampling.samplers import SAMPLERS
from lib_anim.errors import FlipbookError, Problem
from lib_anim.imaging.fit import fit
from lib_anim.models.checkpoint import Checkpoint, read_checkpoint
from lib_anim.models.folders import TORCH, WORDS, ModelFolders, weights_in
from lib_anim.models.inversion import Inversion, read_inversion
from lib_anim.motion.session import is_out_of_memory
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
    """Opens an engine for `checkpoint`, a single .safetensors file in the original layout.

    `device` as torch names it; None takes CUDA when there is one, else the CPU. Weights are float16 on
    CUDA and float32 elsewhere. `folders` are those of LoRAs, embeddings and VAEs; None uses the WebUI's
    folders
    around the file, or the file's own. `noise` is the WebUI's "Random number generator source",
    `ancestral_delta` its "Eta noise seed delta". Raises FlipbookError when the file or device cannot be used.
    """
    path = Path(checkpoint)
    found = _require_supported(read_checkpoint(path))
    options = EngineOptions(source=noise, ancestral_delta=ancestral_delta, attention=attention)
    return DiffusersEngine(found, _device(device), folders or ModelFolders.around(path), options)


def _device(name: str | None) -> torch.device:
    if name is None:
        name = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        torch.empty(0, device=name)
    except (RuntimeError, AssertionError) as error:
        raise FlipbookError(
            Problem(
                f'"{name}" cannot be used here ({str(error).splitlines()[0]}); try "cpu"',
                field="device",
                code="device.unavailable",
            )
        ) from error
    return torch.device(name)


def _require_supported(checkpoint: Checkpoint) -> Checkpoint:
    """Returns the checkpoint. Raises FlipbookError when its UNet needs inputs that requests do not have."""
    takes, gives = checkpoint.unet.in_channels, checkpoint.unet.out_channels
    if takes != gives and not checkpoint.unet.for_inpainting:
        raise FlipbookError(
            Problem(
                f"{checkpoint.path.name} takes {takes} channels where {gives} are latents, as instruction "
                "and depth checkpoints do; use an ordinary or an inpainting checkpoint",
                field="checkpoint",
                code="model.unsupported",
            )
        )
    return checkpoint


class DiffusersEngine:
    """Renders stills and clips with the checkpoints of one folder. Created by `open_engine`."""

    def __init__(
        self,
        checkpoint: Checkpoint,
        device: torch.device,
        folders: ModelFolders,
        options: EngineOptions,
    ) -> None:
        self._checkpoint = checkpoint
        self._device = device
        self._dtype = torch.float16 if device.type == "cuda" else torch.float32
        self._folders = folders
        self._options = options
        self._warnings: list[str] = []
        self._inversions = self._read_inversions()
        self._checkpoint_files = weights_in((checkpoint.path.parent,))
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
        """The capabilities without those that need a search of folders; stills are checked against these."""
        return Capabilities(
            samplers=tuple(SAMPLERS),
            schedulers=("Automatic", *SPACINGS),
            multiple_of=8,
            inpaint=True,
            travel=True,
            tiling=True,
            subseed=True,
            checkpoints=tuple(self._checkpoint_files),
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
            f"{self._options.source} noise, delta {self._options.ancestral_delta}, {self._attention_text}"
            f"torch {torch.__version__}, diffusers {diffusers.__version__}"
        )

    @property
    def _attention_text(self) -> str:
        """Backends other than SDPA change the last digits, so they are part of the fingerprint."""
        backend = self._options.attention
        return "" if backend == "sdpa" else f"attention {backend}, "

    @property
    def warnings(self) -> tuple[str, ...]:
        return tuple(self._warnings)

    def still(self, request: StillRequest, on_step: OnStep | None = None) -> Picture:
        """Renders one picture; see `StillPainter`. When memory runs out, retries once in smaller pieces."""
        check(request, self._abilities)
        with torch.inference_mode():
            painter = self._painter(request.checkpoint)
            try:
                return painter.paint(request, on_step, small=False)
            except RuntimeError as error:
                if not is_out_of_memory(error):
                    raise
            self._release_others(painter)
            self._warn("Memory ran out; the request was painted in smaller pieces.")
            try:
                return painter.paint(request, on_step, small=True)
            except RuntimeError as error:
                if not is_out_of_memory(error):
                    raise
                raise FlipbookError(
                    Problem(
                        f"{request.width}×{request.height} does not fit into memory, even in smaller pieces; "
                        "use a smaller size",
                        field="width",
                        code="memory.insufficient",
                    )
                ) from error

    def clip(self, request: ClipRequest, on_step: OnStep | None = None) -> Iterator[Picture]:
        """Renders a clip; see `ClipPainter`. When memory runs out, attention and decoding use smaller
        pieces."""
        check_clip(request, self.capabilities)
        return self._clip(request, on_step)

    def _clip(self, request: ClipRequest, on_step: OnStep | None) -> Iterator[Picture]:
        with torch.inference_mode():
            painter = self._painter(request.checkpoint)
        try:
            yield from paint_clip(painter, request, self._motion, on_step)
        except RuntimeError as error:
            if not is_out_of_memory(error):
                raise
            self._free()
            raise FlipbookError(
                Problem(
                    f"{len(request.frames)} frames of {request.width}×{request.height} do not fit into "
                    "memory; use a smaller size or a smaller context",
                    field="width",
                    code="memory.insufficient",
                )
            ) from error

    def upscale(self, picture: Picture, upscaler: str, width: int, height: int) -> Picture:
        """See `Engine.upscale`; Lanczos only."""
        return fit(picture, width, height, "stretch")

    def close(self) -> None:
        """Frees the networks; the engine cannot be used afterwards."""
        self._painters.clear()
        self._free()

    def _painter(self, name: str | None) -> Painter:
        """The checkpoint called `name`; the `LOADED` most recently used stay in memory."""
        path = self._checkpoint.path if name is None else self._checkpoint_files[name]
        if path not in self._painters:
            found = (
                self._checkpoint
                if path == self._checkpoint.path
                else _require_supported(read_checkpoint(path))
            )
            while len(self._painters) >= LOADED:
                self._painters.popitem(last=False)
            self._painters[path] = self._loaded(found)
        self._painters.move_to_end(path)
        return self._painters[path]

    def _loaded(self, checkpoint: Checkpoint) -> Painter:
        """Loads the checkpoint's networks; when memory runs out, releases the others and retries."""

        def load() -> Painter:
            return Painter(
                checkpoint,
                self._device,
                self._dtype,
                self._folders,
                self._inversions,
                self._options,
                self._warn,
            )

        try:
            return load()
        except (RuntimeError, MemoryError) as error:
            if isinstance(error, RuntimeError) and not is_out_of_memory(error):
                raise
        self._release_others()
        try:
            return load()
        except (RuntimeError, MemoryError) as error:
            if isinstance(error, RuntimeError) and not is_out_of_memory(error):
                raise
            raise FlipbookError(
                Problem(
                    f"{checkpoint.path.name} does not fit into memory on {self._device}; "
                    "close other programs or use a smaller checkpoint",
                    field="checkpoint",
                    code="memory.insufficient",
                )
            ) from error

    def _release_others(self, kept: Painter | None = None) -> None:
        """Releases the memory of all checkpoints except `kept`."""
        for path in [path for path, painter in self._painters.items() if painter is not kept]:
            del self._painters[path]
        self._free()

    def _vaes(self) -> tuple[str, ...]:
        """Names of VAEs; in the checkpoint's folder only files named `.vae`."""
        home = self._checkpoint.path.absolute().parent
        found = weights_in(self._folders.vaes, TORCH)
        return tuple(n for n, p in found.items() if n.endswith(".vae") or p.absolute().parent != home)

    def _read_inversions(self) -> list[Inversion]:
        """Loads every textual inversion in the folders; other files are skipped with a warning."""
        found: list[Inversion] = []
        for path in weights_in(self._folders.embeddings, WORDS).values():
            try:
                found.append(read_inversion(path))
            except FlipbookError as error:
                self._warn(f"An embedding was skipped: {error}")
        return found

    def _free(self) -> None:
        if self._device.type == "cuda":
            torch.cuda.empty_cache()

    def _warn(self, sentence: str) -> None:
        if sentence not in self._warnings:
            self._warnings.append(sentence)
