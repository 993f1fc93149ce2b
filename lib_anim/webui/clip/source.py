"""The video and masks that a clip in the host follows: a picture and a mask for every output frame."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from lib_anim.errors import FlipbookError, Problem
from lib_anim.kinds.clip.inputs import PICTURES
from lib_anim.kinds.clip.motion_settings import Motion
from lib_anim.media.contract import FrameSource
from lib_anim.media.pictures import read_picture
from lib_anim.media.read import open_source


class ClipSource:
    """The opened files of video path, video source and mask path; frames are read one at a time."""

    def __init__(self, motion: Motion) -> None:
        """Raises FlipbookError (NotFound) for a missing file or a missing range of frames."""
        self._video: FrameSource | None = None
        self._masks: FrameSource | None = None
        self._mask: Image.Image | None = None
        if motion.video:
            self._video = open_source(
                motion.video,
                start=motion.video_start,
                stop=None if motion.video_stop == -1 else motion.video_stop,
                every=motion.video_every,
            )
        path = motion.mask_path
        if path and Path(path).suffix.lower() in PICTURES:
            self._mask = Image.fromarray(read_picture(Path(path))[..., :3])
        elif path:
            self._masks = open_source(path)
        self._field = "video_path" if motion.video_path else "video_source"

    @property
    def video(self) -> bool:
        """Whether every frame has a picture of its own."""
        return self._video is not None

    @property
    def masks(self) -> bool:
        """Whether frames have masks."""
        return self._masks is not None or self._mask is not None

    def length(self, motion: Motion) -> int:
        """Number of frames of the clip: the requested number, else the video's, else the context length.

        Raises FlipbookError where the video or the masks have fewer frames.
        """
        count = motion.frames or (motion.context if self._video is None else len(self._video))
        for source, field in ((self._video, self._field), (self._masks, "mask_path")):
            if source is not None and len(source) < count:
                sentence = f"it has {len(source)} frames, the clip needs {count}; " + (
                    "set the number of frames to 0 to use all of them"
                    if field != "mask_path"
                    else "use one mask per frame, or one picture for all"
                )
                raise FlipbookError(Problem(sentence, field=field, code="media.too_few_frames"))
        return count

    def frame(self, number: int) -> np.ndarray:
        """The video's frame for an output, uint8 RGB; the last one for padding frames."""
        assert self._video is not None
        return self._video[min(number, len(self._video) - 1)][..., :3]

    def mask(self, number: int) -> Image.Image | None:
        """An output's mask in the host's convention: white is repainted."""
        if self._masks is not None:
            return Image.fromarray(self._masks[min(number, len(self._masks) - 1)][..., :3])
        return self._mask

    def close(self) -> None:
        """Close the files; may be called repeatedly."""
        for source in (self._video, self._masks):
            if source is not None:
                source.close()
