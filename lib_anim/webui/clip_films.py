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


def write_films(clip: HostClip, p: Any, samples: Any) -> ClipFiles:
    """Decode the latents `samples` (frames, C, h, w) and write the clip's films.

    Frames wait on the disk, so memory does not grow with the clip.
    """
    count = clip.frames
    first = _decoded(p, samples, 0)
    folder = Path(p.outpath_samples) / NAME / time.strftime("%Y-%m-%d")
    with tempfile.TemporaryFile() as file:
        frames = np.memmap(file, np.uint8, "w+", shape=(count, *first.shape))
        frames[0] = first
        for number in range(1, count):
            frames[number] = _decoded(p, samples, number)
        if "Frame" in clip.call.motion.formats and p.is_api:
            clip.frames_as_text = [_png(frame) for frame in frames]
        return write_clip(
            lambda number: np.asarray(frames[number]),
            count,
            clip.call.motion,
            folder,
            next_stem(folder, int(p.seeds[0]), clip.call.request_id),
            _parameters(clip, p),
        )


def first_decoded(p: Any, samples: Any) -> Any:
    """The first frame as the host's own decoding would hand it on: what the page shows beside the film."""
    return processing.DecodedSamples([_latent_decoded(p, samples, 0)])


def as_base64(path: Path) -> str:
    """A film as the API answers it."""
    return base64.b64encode(path.read_bytes()).decode()


def _png(frame: np.ndarray) -> str:
    file = io.BytesIO()
    Image.fromarray(np.asarray(frame)).save(file, format="png")
    return base64.b64encode(file.getvalue()).decode()


def _latent_decoded(p: Any, samples: Any, number: int) -> Any:
    return processing.decode_latent_batch(
        p.sd_model, samples[number : number + 1], target_device=devices.cpu, check_for_nans=True
    )[0]


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
