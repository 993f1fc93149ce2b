"""From a clip's latents to its films, one frame at a time."""

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
from lib_anim.webui.clip.axes import plotted
from lib_anim.webui.clip.finish import finished
from lib_anim.webui.clip.host_clip import HostClip
from lib_anim.webui.host.player import remember

VIDEOS = (".mp4", ".webm")
"""Endings of films that a gallery of pictures does not show."""


class ClipFilms:
    """Writes the films of a request of the host's tabs and shows them there."""

    def __init__(self, call: ClipCall, prompts: tuple[str, str], warnings: list[str]) -> None:
        """`prompts`: prompt and negative prompt as the user wrote them; `warnings` are shown with it."""
        self.call = call
        self.files: list[ClipFiles] = []
        """What was written, batch by batch."""
        self._prompts = prompts
        self._warnings = warnings
        self._first: list[Image.Image] = []
        """The first frame of every batch."""
        self._parameters = ""
        """The latest film's, as the host writes a picture's."""
        self._as_text: list[str] = []
        """The last batch's frames as base64 PNG, where the API asked for them (`Frame`)."""

    @property
    def batches(self) -> int:
        return len(self.files)

    def take(self, clip: HostClip, p: Any, samples: Any) -> Any:
        """Decode a batch's latents and write its films; the host goes on with the first frame as decoded.

        Frames wait on the disk, so memory does not grow with the clip.
        """
        count = clip.task.frames
        first = frame_of(clip, p, samples, 0)
        self._first.append(Image.fromarray(first))
        motion = self.call.motion
        folder = Path(p.outpath_samples) / NAME / time.strftime("%Y-%m-%d")
        with tempfile.TemporaryFile() as file:
            frames = np.memmap(file, np.uint8, "w+", shape=(count, *first.shape))
            frames[0] = first
            for number in range(1, count):
                frames[number] = frame_of(clip, p, samples, number)
            if "Frame" in motion.formats and p.is_api:
                self._as_text = [_png(frame) for frame in frames]
            self._parameters = self._written(clip, p)
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

    def show(self, clip: HostClip, p: Any, processed: Any) -> None:
        """Put the films into the host's results.

        The API answers every film as base64. The page's gallery shows animated pictures; videos play below
        it. Warnings stand where the host's own comments on a request do.
        """
        films = [path for files in self.files for path in files.films]
        others = processed.images
        processed.images = list(self._first)
        if plotted(p):
            pass
        elif p.is_api:
            if films:
                processed.images = [as_base64(path) for path in films]
            processed.images += self._as_text
        else:
            moving = [str(path) for path in films if path.suffix not in VIDEOS]
            videos = [path for path in films if path.suffix in VIDEOS]
            if moving:
                processed.images = moving
            if videos:
                remember(self._parameters, videos[-1])
        # What other scripts have added, such as ControlNet's maps; the host's own pictures are none.
        processed.images += others
        processed.infotexts = [self._parameters] * max(len(processed.images), 1)
        processed.info = self._parameters
        processed.index_of_first_image = 0
        for sentence in dict.fromkeys(self._warnings):
            logging.getLogger(__name__).warning("%s: %s", NAME, sentence)
            processed.comments += f"{NAME}: {sentence}\n"

    def _written(self, clip: HostClip, p: Any) -> str:
        """The film's parameters in the host's form, with the prompts as the user wrote them."""
        prompt, negative = self._prompts
        call = replace(self.call, motion=self.call.motion.changed({"module": clip.module_name}))
        about = {"version": __version__}
        digest = hashes.sha256(str(clip.module_path), f"{NAME}/{clip.module_name}")
        if digest is not None:
            # None with --no-hashing.
            about = {"mm_hash": digest[:8], **about}
        p.extra_generation_params[NAME] = to_infotext(call, **about)
        return str(
            processing.create_infotext(
                p, [prompt], p.seeds[:1], p.subseeds[:1], index=0, all_negative_prompts=[negative]
            )
        )


def frame_of(clip: HostClip, p: Any, samples: Any, number: int) -> np.ndarray:
    """One frame as it stands in the film, uint8 RGB (H, W, 3)."""
    return finished(p, _decoded(p, samples, number), number, clip.pictures.place(p, number))


def as_base64(path: Path) -> str:
    """A film as the API answers it."""
    return base64.b64encode(path.read_bytes()).decode()


def _png(frame: np.ndarray) -> str:
    file = io.BytesIO()
    Image.fromarray(np.asarray(frame)).save(file, format="png")
    return base64.b64encode(file.getvalue()).decode()


def latent_decoded(p: Any, samples: Any, number: int) -> Any:
    """(C, H, W) of one frame in [-1, 1]; the hires pass hands on pictures that it has decoded itself."""
    if getattr(samples, "already_decoded", False):
        return samples[number]
    return processing.decode_latent_batch(
        p.sd_model, samples[number : number + 1], target_device=devices.cpu, check_for_nans=True
    )[0]


def _decoded(p: Any, samples: Any, number: int) -> np.ndarray:
    """One frame, uint8 RGB (H, W, 3), cut down to 8 bits as the host does."""
    picture = (latent_decoded(p, samples, number).float() + 1) / 2
    frame: np.ndarray = (255 * picture.clamp(0, 1)).numpy().transpose(1, 2, 0).astype(np.uint8)
    return frame
