"""From a clip's latents to its films, one frame at a time."""

from __future__ import annotations

import base64
import io
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from modules import devices, processing
from PIL import Image

from lib_anim import __version__
from lib_anim.jobs.clip_films import ClipFiles, next_stem, write_clip
from lib_anim.settings.animatediff import NAME, to_infotext
from lib_anim.webui.clip import HostClip
from lib_anim.webui.clip_axes import plotted
from lib_anim.webui.clip_finish import finished
from lib_anim.webui.player import remember

VIDEOS = (".mp4", ".webm")
"""Endings of films that a gallery of pictures does not show."""


def write_films(clip: HostClip, p: Any, samples: Any) -> ClipFiles:
    """Decode the latents `samples` (frames, C, h, w) and write the clip's films.

    Frames wait on the disk, so memory does not grow with the clip.
    """
    count = clip.frames
    first = _frame(clip, p, samples, 0)
    clip.first.append(Image.fromarray(first))
    folder = Path(p.outpath_samples) / NAME / time.strftime("%Y-%m-%d")
    with tempfile.TemporaryFile() as file:
        frames = np.memmap(file, np.uint8, "w+", shape=(count, *first.shape))
        frames[0] = first
        for number in range(1, count):
            frames[number] = _frame(clip, p, samples, number)
        if "Frame" in clip.call.motion.formats and p.is_api:
            clip.frames_as_text = [_png(frame) for frame in frames]
        clip.parameters = _parameters(clip, p)
        return write_clip(
            lambda number: np.asarray(frames[number]),
            count,
            clip.call.motion,
            folder,
            next_stem(folder, int(p.seeds[0]), clip.call.request_id),
            clip.parameters,
        )


def finish_batch(clip: HostClip, p: Any, samples: Any) -> Any:
    """Write a batch's films; answers what the host goes on with: the first frame as it was decoded."""
    clip.files.append(write_films(clip, p, samples))
    return processing.DecodedSamples([_latent_decoded(p, samples, 0)])


def show_films(clip: HostClip, p: Any, processed: Any) -> None:
    """Put the films into the host's results.

    The API answers every film as base64. The page's gallery shows animated pictures; videos play below it.
    """
    films = [path for files in clip.files for path in files.films]
    others = processed.images
    processed.images = list(clip.first)
    if plotted(p):
        pass
    elif p.is_api:
        if films:
            processed.images = [as_base64(path) for path in films]
        processed.images += clip.frames_as_text
    else:
        moving = [str(path) for path in films if path.suffix not in VIDEOS]
        videos = [path for path in films if path.suffix in VIDEOS]
        if moving:
            processed.images = moving
        if videos:
            remember(clip.parameters, videos[-1])
    # What other scripts have added, such as ControlNet's maps; the host's own pictures are none.
    processed.images += others
    processed.infotexts = [clip.parameters] * max(len(processed.images), 1)
    processed.info = clip.parameters
    processed.index_of_first_image = 0


def as_base64(path: Path) -> str:
    """A film as the API answers it."""
    return base64.b64encode(path.read_bytes()).decode()


def _png(frame: np.ndarray) -> str:
    file = io.BytesIO()
    Image.fromarray(np.asarray(frame)).save(file, format="png")
    return base64.b64encode(file.getvalue()).decode()


def _latent_decoded(p: Any, samples: Any, number: int) -> Any:
    """(C, H, W) of one frame in [-1, 1]; the hires pass hands on pictures that it has decoded itself."""
    if getattr(samples, "already_decoded", False):
        return samples[number]
    return processing.decode_latent_batch(
        p.sd_model, samples[number : number + 1], target_device=devices.cpu, check_for_nans=True
    )[0]


def _frame(clip: HostClip, p: Any, samples: Any, number: int) -> np.ndarray:
    """One frame as it stands in the film, uint8 RGB (H, W, 3)."""
    return finished(p, _decoded(p, samples, number), number, clip.pictures.place(p, number))


def _decoded(p: Any, samples: Any, number: int) -> np.ndarray:
    """One frame, uint8 RGB (H, W, 3), cut down to 8 bits as the host does."""
    picture = (_latent_decoded(p, samples, number).float() + 1) / 2
    frame: np.ndarray = (255 * picture.clamp(0, 1)).numpy().transpose(1, 2, 0).astype(np.uint8)
    return frame


def _parameters(clip: HostClip, p: Any) -> str:
    """The film's parameters in the host's form, with the prompts as the user wrote them."""
    prompt, negative = clip.prompts.original
    p.extra_generation_params[NAME] = to_infotext(
        clip.call, mm_hash=clip.module.facts.name, version=__version__
    )
    return str(
        processing.create_infotext(
            p, [prompt], p.seeds[:1], p.subseeds[:1], index=0, all_negative_prompts=[negative]
        )
    )
