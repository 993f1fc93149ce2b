# ruff: noqa: E501 (one refusal, one line: tables may be wide)
"""What a Deforum file may switch on that Flipbook does not have yet: refused, never rendered as something else."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from lib_anim.errors import FlipbookError, Problem
from lib_anim.kinds.keyframed.deforum.keys import default_of
from lib_anim.settings.fields import DEFORUM, shown
from lib_anim.timeline.schedule import parse_schedule

Values = Mapping[str, Any]
"""A migrated file: key → value, Deforum's default where the file lacks the key."""


class Refusal(NamedTuple):
    """A feature that is refused where `when` says that its key switches it on."""

    key: str
    """`cn_{i}_…` stands for every ControlNet unit of the file."""
    feature: str
    """What is refused, in words."""
    way: str
    """What to do instead."""
    when: Callable[[Values, str], bool]
    """Called with the values and the key."""
    why: str = "which is not built yet"


def on(values: Values, key: str) -> bool:
    """The flag is set."""
    return values[key] is True


def chosen(values: Values, key: str) -> bool:
    """The choice is another than "None" or "Off"."""
    return str(values[key]).strip().lower() not in ("none", "off", "")


def above_zero(values: Values, key: str) -> bool:
    """The number is not 0."""
    return values[key] not in (0, "0")


def filled(values: Values, key: str) -> bool:
    """The text is not empty."""
    return bool(str(values[key]).strip())


def is_address(value: object) -> bool:
    """The text is a web address and not a path."""
    return bool(re.match(r"\s*\"?\s*https?://", str(value), re.IGNORECASE))


def _mode(values: Values, key: str) -> bool:
    return _word(values, key) not in ("2d", "video input", "interpolation")


def _word(values: Values, key: str) -> str:
    return str(values[key]).strip().lower()


def _init_address(values: Values, key: str) -> bool:
    return values["use_init"] is True and is_address(values[key])


def _sound_address(values: Values, key: str) -> bool:
    return _word(values, "add_soundtrack") == "file" and is_address(values[key])


def _video_address(values: Values, key: str) -> bool:
    used = (
        _word(values, "animation_mode") == "video input"
        or _word(values, "color_coherence") == "video input"
        or _word(values, "add_soundtrack") == "init video"
    )
    return used and is_address(values[key])


def _masked(values: Values) -> bool:
    return values["use_mask"] is True or values["use_mask_video"] is True


def _mask_address(values: Values, key: str) -> bool:
    alpha = values["use_alpha_as_mask"] is True and values["use_init"] is True
    return (
        values["use_mask"] is True
        and values["use_mask_video"] is not True
        and not alpha
        and is_address(values[key])
    )


def _mask_video_address(values: Values, key: str) -> bool:
    return values["use_mask_video"] is True and is_address(values[key])


def _noise_mask_alone(values: Values, key: str) -> bool:
    return values[key] is True and not _masked(values) and is_plain_mask(values["noise_mask_schedule"])


def is_plain_mask(text: object) -> bool:
    """Whether a mask schedule is the mask itself at every frame."""
    try:
        items = parse_schedule(str(text), strings=True, dialect=DEFORUM).items
    except FlipbookError:
        return False
    return {str(item.value).strip() for item in items} == {"{video_mask}"}


def _part(values: Values) -> bool:
    return values["use_mask_video"] is True or _word(values, "color_coherence") == "video input"


def _part_nth(values: Values, key: str) -> bool:
    return _part(values) and values[key] not in (0, 1)


def _part_from(values: Values, key: str) -> bool:
    return _part(values) and values[key] != 0


def _part_to(values: Values, key: str) -> bool:
    return _part(values) and values[key] != -1


def _color_address(values: Values, key: str) -> bool:
    return _word(values, "color_coherence") == "image" and is_address(values[key])


def _with_cadence(values: Values, key: str) -> bool:
    return chosen(values, key) and values["diffusion_cadence"] != 1


def _resized_seed(values: Values, key: str) -> bool:
    return above_zero(values, "seed_resize_from_w") and above_zero(values, "seed_resize_from_h")


OFF = "set it to false to go without"
NONE = 'set it to "None" to go without'
ADDRESS = "save the file and give its path"
NO_DOWNLOAD = "and nothing is downloaded"

# fmt: off
REFUSALS = (
    Refusal("animation_mode", "a mode that is not built yet (2D, Video Input and Interpolation are)", 'set it to "2D"', _mode),
    Refusal("motion_preview_mode", "a motion preview in place of a film", "set it to false and see the motion with `preview`", on),
    Refusal("resume_from_timestring", "resuming a run of Deforum's", "set it to false to start a new run", on),
    Refusal("init_image", "an init image at a web address", ADDRESS, _init_address, NO_DOWNLOAD),
    Refusal("video_init_path", "a video at a web address", ADDRESS, _video_address, NO_DOWNLOAD),
    Refusal("mask_file", "a mask at a web address", ADDRESS, _mask_address, NO_DOWNLOAD),
    Refusal("video_mask_path", "a mask video at a web address", ADDRESS, _mask_video_address, NO_DOWNLOAD),
    Refusal("use_noise_mask", "a noise mask where there is no mask", OFF, _noise_mask_alone),
    Refusal("extract_nth_frame", "a part of a video for masks or colours", "set it to 1 and cut the video before", _part_nth),
    Refusal("extract_from_frame", "a part of a video for masks or colours", "set it to 0 and cut the video before", _part_from),
    Refusal("extract_to_frame", "a part of a video for masks or colours", "set it to -1 and cut the video before", _part_to),
    Refusal("use_looper", "guided images", OFF, on),
    Refusal("parseq_manifest", "a Parseq manifest", "empty it to use the schedules of the file", filled),
    Refusal("cn_{i}_enabled", "a ControlNet unit", OFF, on),
    Refusal("hybrid_composite", "mixing in a video", NONE, chosen),
    Refusal("hybrid_motion", "motion from a video", NONE, chosen),
    Refusal("hybrid_generate_inputframes", "frames of a video for hybrid video", OFF, on),
    Refusal("hybrid_generate_human_masks", "human masks", NONE, chosen),
    Refusal("hybrid_use_init_image", "the init image as hybrid video", OFF, on),
    Refusal("optical_flow_cadence", "optical flow between painted frames", 'set it to "None", or diffusion_cadence to 1', _with_cadence),
    Refusal("optical_flow_redo_generation", "painting twice with optical flow", NONE, chosen),
    Refusal("diffusion_redo", "painting a frame repeatedly", "set it to 0 to go without", above_zero),
    Refusal("color_coherence_image_path", "a colour reference at a web address", ADDRESS, _color_address, NO_DOWNLOAD),
    Refusal("restore_faces", "face restoration", OFF, on),
    Refusal("tiling", "tiling", OFF, on),
    Refusal("seed_resize_from_w", "seed resizing", "set it to 0 to go without", _resized_seed),
    Refusal("save_depth_maps", "saving depth maps", OFF, on),
    Refusal("soundtrack_path", "a soundtrack at a web address", ADDRESS, _sound_address, NO_DOWNLOAD),
    Refusal("make_gif", "a GIF in addition to the film", "set it to false and make one of the film with `assemble`", on),
    Refusal("r_upscale_video", "upscaling with an external program", "set it to false and take `upscale` and `upscaler`", on),
    Refusal("frame_interpolation_engine", "interpolating frames after the run", NONE, chosen),
    Refusal("keyframe_distribution", "distributing painted frames over keyframes", 'set it to "Off"', chosen),
    Refusal("shake_name", "camera shake", NONE, chosen),
    Refusal("freeu_enabled", "FreeU", OFF, on),
    Refusal("kohya_hrfix_enabled", "Kohya's high-resolution fix", OFF, on),
)
# fmt: on


class Completed(dict[str, Any]):
    """A file's values; a key that it lacks has Deforum's default."""

    def __missing__(self, key: str) -> Any:
        return default_of(key)


def refused(file: Mapping[str, Any]) -> Iterator[Problem]:
    """A problem for each feature that a migrated file switches on and that is not built."""
    values = Completed(file)
    for refusal in REFUSALS:
        for key in _keys(refusal.key, file):
            if refusal.when(values, key):
                sentence = f"{shown(values[key])} asks for {refusal.feature}, {refusal.why}; {refusal.way}"
                yield Problem(sentence, field=key, code="import.unsupported")


def _keys(key: str, file: Mapping[str, Any]) -> list[str]:
    """The keys of a file that a refusal's key stands for."""
    if "{i}" not in key:
        return [key]
    pattern = re.escape(key).replace(r"\{i\}", r"[1-9]\d*")
    return [name for name in file if re.fullmatch(pattern, name)]
