"""From a clip's frames to what its film shows: order, in-betweens, closing."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from lib_anim.imaging.flow import optical_flow
from lib_anim.imaging.tween import in_between
from lib_anim.kinds.clip.motion_settings import Motion
from lib_anim.media.contract import Frame


def order_of(motion: Motion, count: int) -> list[int]:
    """Which of `count` frames is shown when, without in-betweens.

    A closed clip of one window cannot lead back by its windows: it is shown forth and back, as in
    sd-webui-animatediff, without its turning frames twice.
    """
    order = list(range(count))
    closes = motion.closed_loop == "A" and count <= motion.context and motion.reverse == "off"
    if motion.reverse == "boomerang" or closes:
        return order + order[-2:0:-1]
    return order[::-1] if motion.reverse == "backwards" else order


def between_count(motion: Motion, count: int) -> int:
    """In-betweens of each pair of frames, so that each of `count` frames becomes `interp_x` all in all."""
    if motion.interp == "Off" or count < 2:
        return 0
    return round(count * (motion.interp_x - 1) / (count - 1))


def shown_frames(read: Callable[[int], Frame], count: int, motion: Motion) -> Iterator[Frame]:
    """The film's frames, uint8, of the clip's, which `read` gives by number and may be asked for twice.

    In-betweens are moved along the optical flow of their two neighbours. Two frames are held at a time.
    """
    order, more = order_of(motion, count), between_count(motion, count)
    before: Frame | None = None
    for number in order:
        after = read(number)
        if before is not None and more:
            yield from _between(before, after, more)
        yield after
        before = after


def _between(first: Frame, second: Frame, more: int) -> Iterator[Frame]:
    one, other = (frame.astype(np.float32) / np.float32(255) for frame in (first, second))
    forward, backward = optical_flow(one, other), optical_flow(other, one)
    for step in range(1, more + 1):
        picture = in_between(one, other, forward, backward, step / (more + 1))
        yield np.rint(picture * 255).astype(np.uint8)
