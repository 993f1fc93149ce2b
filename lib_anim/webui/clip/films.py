"""Decodes a clip's latents and writes its films, one frame at a time."""

from __future__ import annotations

import base64
import io
import logging
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from modules import devices, hashes, processing
from PIL import Image

from lib_anim import __version__
from lib_anim.jobs.run.clip_films import ClipFiles, next_stem, write_clip
from lib_anim.kinds.clip.animatediff import NAME, ClipCall, to_infotext
from lib_anim.webui.clip.axes import is_plot_cell
from lib_anim.webui.clip.finish import postprocessed
from lib_anim.webui.clip.host_clip import HostClip
from lib_anim.webui.host.player import remember

VIDEOS = (".mp4", ".webm")
"""File suffixes that the host's gallery cannot show."""


class ClipFilms:
    """Output of a txt2img or img2img request: writes the films and adds them to the results."""

    def __init__(self, call: ClipCall, prompts: tuple[str, str], warnings: list[str]) -> None:
        """`prompts`: the user's prompt and negative prompt; `warnings` are shown with the result."""
        self.call = call
        self.files: list[ClipFiles] = []
        """The files written for each batch."""
        self._prompts = prompts
        self._warnings = warnings
        self._first_frames: list[Image.Image] = []
        """The first frame of every batch."""
        self._parameters = ""
        """Infotext of the latest film."""
        self._frames_base64: list[str] = []
        """The last batch's frames as base64 PNG, where an API request has the format `Frame`."""

    @property
    def batches(self) -> int:
        return len(self.files)

    def process_batch(self, clip: HostClip, p: Any, samples: Any) -> Any:
        """Decode a batch's latents and write its films; returns the first decoded frame for the host.

        Frames are buffered on disk, so memory does not grow with the clip.
        """
        count = clip.task.frames
        first = frame_of(clip, p, samples, 0)
        self._first_frames.append(Image.fromarray(first))
        motion = self.call.motion
        folder = Path(p.outpath_samples) / NAME / time.strftime("%Y-%m-%d")
        with tempfile.TemporaryFile() as file:
            frames = np.memmap(file, np.uint8, "w+", shape=(count, *first.shape))
            frames[0] = first
            for number in range(1, count):
                frames[number] = frame_of(clip, p, samples, number)
            if "Frame" in motion.formats and p.is_api:
                self._frames_base64 = [_png(frame) for frame in frames]
            self._parameters = self._infotext(clip, p)
            written = write_clip(
                lambda number: np.asarray(frames[number]),
                count,
                motion,
                folder,
                next_stem(folder, int(p.seeds[0]), self.call.request_id),
                self._parameters,
            )
        self.files.append(written)
        return processing.DecodedSamples([latent_decoded(p, samples, 0)])

    def add_results(self, clip: HostClip, p: Any, processed: Any) -> None:
        """Add the films and warnings to the host's results.

        API responses contain every film as base64. The page's gallery shows animated pictures; videos play in
        the player below it. Warnings are appended to the host's comments on the request.
        """
        films = [path for files in self.files for path in files.films]
        others = processed.images
        processed.images = list(self._first_frames)
        if is_plot_cell(p):
            pass
        elif p.is_api:
            if films:
                processed.images = [as_base64(path) for path in films]
            processed.images += self._frames_base64
        else:
            moving = [str(path) for path in films if path.suffix not in VIDEOS]
            videos = [path for path in films if path.suffix in VIDEOS]
            if moving:
                processed.images = moving
            if videos:
                remember(self._parameters, videos[-1])
        # Pictures that other scripts have added, such as ControlNet's maps; the host itself has none.
        processed.images += others
        processed.infotexts = [self._parameters] * max(len(processed.images), 1)
        processed.info = self._parameters
        processed.index_of_first_image = 0
        for sentence in dict.fromkeys(self._warnings):
            logging.getLogger(__name__).warning("%s: %s", NAME, sentence)
            processed.comments += f"{NAME}: {sentence}\n"

    def _infotext(self, clip: HostClip, p: Any) -> str:
        """The film's infotext, with the prompts as the user wrote them."""
        prompt, negative = self._prompts
        call = replace(self.call, motion=self.call.motion.changed({"module": clip.module_name}))
        extra = {"version": __version__}
        digest = hashes.sha256(str(clip.module_path), f"{NAME}/{clip.module_name}")
        if digest is not None:
            # None with --no-hashing.
            extra = {"mm_hash": digest[:8], **extra}
        p.extra_generation_params[NAME] = to_infotext(call, **extra)
        return str(
            processing.create_infotext(
                p, [prompt], p.seeds[:1], p.subseeds[:1], index=0, all_negative_prompts=[negative]
            )
        )


def frame_of(clip: HostClip, p: Any, samples: Any, number: int) -> np.ndarray:
    """One final frame of the film, uint8 RGB (H, W, 3)."""
    return postprocessed(p, _decoded(p, samples, number), number, clip.pictures.overlay(p, number))


def as_base64(path: Path) -> str:
    """A film's bytes as base64, as in API responses."""
    return base64.b64encode(path.read_bytes()).decode()


def _png(frame: np.ndarray) -> str:
    file = io.BytesIO()
    Image.fromarray(np.asarray(frame)).save(file, format="png")
    return base64.b64encode(file.getvalue()).decode()


def latent_decoded(p: Any, samples: Any, number: int) -> Any:
    """(C, H, W) of one decoded frame in [-1, 1]; samples of the hires pass may already be decoded."""
    if getattr(samples, "already_decoded", False):
        return samples[number]
    return processing.decode_latent_batch(
        p.sd_model, samples[number : number + 1], target_device=devices.cpu, check_for_nans=True
    )[0]


def _decoded(p: Any, samples: Any, number: int) -> np.ndarray:
    """One decoded frame, uint8 RGB (H, W, 3), truncated to 8 bits as the host does."""
    picture = (latent_decoded(p, samples, number).float() + 1) / 2
    frame: np.ndarray = (255 * picture.clamp(0, 1)).numpy().transpose(1, 2, 0).astype(np.uint8)
    return frame
