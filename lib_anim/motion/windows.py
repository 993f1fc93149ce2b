"""Context windows: the frames that the motion module processes together at a step."""

from __future__ import annotations

import math
from collections.abc import Iterator

from lib_anim.motion.plan import ClipPlan

Window = tuple[int, ...]
"""Frame numbers, each once, in the order in which the module sees them."""


def windows(plan: ClipPlan, step: int) -> tuple[Window, ...]:
    """The windows of `step` (from 0), in the order in which they are run. They cover every frame."""
    count, length = plan.frames, min(plan.context, plan.frames)
    if count <= plan.context or plan.schedule == "views":
        return (tuple(range(count)),)
    if plan.schedule == "batched":
        found = [range(start, min(start + length, count)) for start in range(0, count, length)]
        return tuple(tuple(window) for window in found)
    if plan.schedule == "standard static":
        return _static(plan)
    if plan.schedule == "standard uniform":
        raw = _shifted_back(list(_uniform(plan, step)), count)
    elif plan.closed_loop != "N":
        raw = [tuple(dict.fromkeys(window)) for window in _uniform(plan, step)]
    elif plan.fusion == "last":
        raw = list(_without_wraps(plan, step))
    else:
        raw = list(_open(plan, step))
    return tuple(_completed(raw, count, length))


def views(plan: ClipPlan) -> tuple[Window, ...]:
    """The windows inside motion layers, the same at every step; none where all frames are seen at once.

    They do not move between steps; in a closed loop (A) they wrap over the clip's end.
    """
    if plan.schedule != "views" or plan.frames <= plan.context:
        return ()
    if plan.closed_loop != "A":
        return _static(plan)
    starts = range(0, plan.frames, plan.context - plan.shared)
    return tuple(tuple((start + i) % plan.frames for i in range(plan.context)) for start in starts)


def _static(plan: ClipPlan) -> tuple[Window, ...]:
    """Windows from the first frame; the last one ends with the clip."""
    last = plan.frames - plan.context
    starts = [*range(0, last, plan.context - plan.shared), last]
    return tuple(tuple(range(start, start + plan.context)) for start in starts)


def ordered_halving(step: int) -> float:
    """The van der Corput sequence in base 2: 0, ½, ¼, ¾, ⅛ … (bits of `step` mirrored at the point)."""
    value, share = 0.0, 0.5
    while step:
        step, bit = divmod(step, 2)
        value += bit * share
        share /= 2
    return value


def _strides(plan: ClipPlan) -> Iterator[int]:
    """1, 2, 4 …: as many as wanted and as fit into the clip."""
    most = math.ceil(math.log2(plan.frames / plan.context)) + 1
    return (1 << k for k in range(min(plan.stride, most)))


def _uniform(plan: ClipPlan, step: int) -> Iterator[Window]:
    """Windows shifted by the van der Corput sequence, which wrap from the end to the start.

    As in AnimateDiff-CLI and its successors, so that equal settings give equal clips: for each stride t
    from ⌊h·t⌋ + round(N·h) in steps of L·t − O. Strided ones can name a frame twice.
    """
    count, length, shared = plan.frames, plan.context, plan.shared
    halving = ordered_halving(step)
    pad = round(count * halving)
    end = count + pad - (0 if plan.closed_loop == "A" else shared)
    for stride in _strides(plan):
        for start in range(int(halving * stride) + pad, end, length * stride - shared):
            yield tuple((start + i * stride) % count for i in range(length))


def _open(plan: ClipPlan, step: int) -> Iterator[Window]:
    """Windows shifted like uniform ones, clamped to the clip where they would wrap."""
    count, length, shared = plan.frames, plan.context, plan.shared
    pad = round(count * ordered_halving(step))
    for stride in _strides(plan):
        last = count - 1 - (length - 1) * stride
        if last < 0:
            return
        pace = length * stride - shared
        starts = range(pad % pace - pace, last + pace, pace)
        for start in dict.fromkeys(min(max(start, 0), last) for start in starts):
            yield tuple(start + i * stride for i in range(length))


def _without_wraps(plan: ClipPlan, step: int) -> Iterator[Window]:
    """sd-webui-animatediff's windows for mode N, for identical clips: wrapping windows are replaced.

    Each becomes the last L frames, the first L, or both; strided ones that wrap are left out.
    """
    count, length = plan.frames, plan.context
    first, last = tuple(range(length)), tuple(range(count - length, count))
    paired = False
    for window in _uniform(plan, step):
        turn = next((i for i in range(1, length) if window[i] < window[i - 1]), None)
        if turn is None:
            yield window
        elif (window[1] - window[0]) % count != 1:
            continue
        elif paired:
            paired = False
            yield first
        elif turn < length - plan.shared:
            yield last
            yield first
        else:
            paired = True
            yield last


def _shifted_back(found: list[Window], count: int) -> list[Window]:
    """AnimateDiff-Evolved's "standard uniform": wrapping windows are shifted back to end with the clip.

    Where the next window does not start with the frames cut off, an additional one that does is inserted.
    """
    result: list[Window] = []
    for i, window in enumerate(found):
        turn = next((k for k in range(1, len(window)) if window[k] < window[k - 1]), None)
        if turn is None:
            result.append(window)
            continue
        stride = (window[1] - window[0]) % count
        length = min(len(window), (count - 1) // stride + 1)
        begin = count - 1 - (length - 1) * stride
        result.append(tuple(range(begin, count, stride)))
        start = window[turn]
        if start not in found[(i + 1) % len(found)]:
            start = min(start, count - len(window))
            result.append(tuple(range(start, start + len(window))))
    return list(dict.fromkeys(result))


def _completed(found: list[Window], count: int, length: int) -> Iterator[Window]:
    """Windows for frames that `found` does not cover, then `found`, which takes precedence in fusion
    `last`."""
    seen = {frame for window in found for frame in window}
    for frame in range(count):
        if frame not in seen:
            start = min(frame, count - length)
            extra = tuple(range(start, start + length))
            seen.update(extra)
            yield extra
    yield from found
