"""Parameters of mov2mov and of img2img batch, read as settings of restyling.

Their names are those of the two functions that the WebUI calls and of its API (AUTOMATIC1111 v1.10.1,
sd-webui-mov2mov of January 2025). Numbers may be schedules and the prompt may be a timeline.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from lib_anim.errors import FlipbookError, Problem
from lib_anim.kinds.restyle.settings import PNG_INFO, Restyle
from lib_anim.kinds.sampler_names import NO_SPACING, split_samplers
from lib_anim.settings.base import specs, unknown_key
from lib_anim.settings.fields import problems_of, shown

MARKS = ("mov_file", "movie_frames", "img2img_batch_input_dir")
"""Keys by which such a file is recognised."""

SAME = (
    *("steps", "cfg_scale", "scheduler", "seed", "subseed", "subseed_strength", "width", "height"),
    *("mask_blur", "restore_faces", "tiling", "styles"),
)
"""Keys that are called alike."""

RENAMED: Mapping[str, str] = {
    "mov_file": "video",
    "img2img_batch_input_dir": "video",
    "movie_frames": "fps",
    "prompt": "prompts",
    "negative_prompt": "negative",
    "prompt_styles": "styles",
    "denoising_strength": "denoising",
    "noise_multiplier": "noise_multiplier",
    "initial_noise_multiplier": "noise_multiplier",
    "img2img_batch_inpaint_mask_dir": "mask",
    "inpaint_full_res": "mask_only",
    "inpaint_full_res_padding": "mask_padding",
    "img2img_batch_png_info_dir": "png_info_dir",
}
"""Their key → ours, where the value means the same."""

RESIZE_MODES = ("Just resize", "Crop and resize", "Resize and fill")
FILLS = ("fill", "original", "latent noise", "latent nothing")
OVERRIDES = {
    "sd_model_checkpoint": "checkpoint",
    "sd_vae": "vae",
    "CLIP_stop_at_last_layers": "clip_skip",
    "initial_noise_multiplier": "noise_multiplier",
}
"""Options of the WebUI that a request may override → settings."""

SIDE = 512
"""Width and height where mov2mov's file gives none."""


@dataclass
class _Reading:
    """A file as it is read: settings found so far, and what has to be said."""

    data: Mapping[str, Any]
    values: dict[str, Any] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def refuse(self, key: str, sentence: str) -> None:
        self.problems.append(Problem(sentence, field=key, code="import.unsupported"))


def is_mov2mov(data: Mapping[str, Any]) -> bool:
    """Whether a JSON object holds mov2mov's or img2img batch's parameters."""
    return any(key in data for key in MARKS)


def from_mov2mov(data: Mapping[str, Any]) -> tuple[Restyle, tuple[str, ...]]:
    """(settings, warnings). What is missing has mov2mov's defaults; what is switched on and cannot be done
    here is refused by name, with all other problems, under the file's own keys. Raises FlipbookError."""
    reading = _Reading(data)
    for key in SAME:
        if data.get(key) is not None:
            reading.values[key] = data[key]
    for key, name in RENAMED.items():
        if data.get(key) is not None:
            reading.values[name] = data[key]
    for read in READERS:
        read(reading)
    extra = {
        key: value for key, value in data.items() if key not in known_keys() and key not in specs(Restyle)
    }
    for name in specs(Restyle):
        # Flipbook's own names are accepted too.
        if name in data and name not in known_keys():
            reading.values[name] = data[name]
    reading.warnings += [_unknown(key) for key in extra]
    named = {ours: key for key, ours in RENAMED.items() if key in data}
    for name, value in reading.values.items():
        _, wrong = problems_of(specs(Restyle)[name], named.get(name, name), value)
        reading.problems += wrong
    if reading.problems:
        raise FlipbookError(*reading.problems)
    return Restyle(**reading.values, extra=extra), tuple(reading.warnings)


def _sampler(reading: _Reading) -> None:
    name = reading.data.get("sampler_name") or reading.data.get("sampler_index")
    if not isinstance(name, str):
        return
    sampler, spacing = split_samplers(name)
    reading.values["sampler"] = sampler
    if spacing != NO_SPACING and reading.values.get("scheduler") in (None, NO_SPACING):
        reading.values["scheduler"] = spacing


def _size(reading: _Reading) -> None:
    data, values = reading.data, reading.values
    if data.get("selected_scale_tab") == 1:
        values.update(width=0, height=0, scale=data.get("scale_by", 1.0))
        return
    values.setdefault("width", SIDE)
    values.setdefault("height", SIDE)


def _lengths(reading: _Reading) -> None:
    most = reading.data.get("max_frames")
    if most is not None:
        reading.values["frames"] = 0 if most == -1 else most


def _choices(reading: _Reading) -> None:
    """Choices that they give as numbers."""
    data, values = reading.data, reading.values
    for key, name, words in (
        ("resize_mode", "resize_mode", RESIZE_MODES),
        ("inpainting_fill", "mask_fill", FILLS),
    ):
        given = data.get(key)
        if given is None:
            continue
        if isinstance(given, str):
            values[name] = given
        elif given in range(len(words)):
            values[name] = words[given]
        elif key == "resize_mode" and given == 3:
            reading.refuse(key, '3, "Just resize (latent upscale)", is not built; 0 resizes the picture')
        else:
            reading.refuse(key, f"{shown(given)} is not allowed; it takes 0 to {len(words) - 1}")
    if "inpainting_mask_invert" in data:
        values["mask_invert"] = bool(data["inpainting_mask_invert"])


def _chance(reading: _Reading) -> None:
    values = reading.values
    if values.get("subseed") == -1:
        del values["subseed"]
        if values.get("subseed_strength", 0) != 0:
            reading.warnings.append("subseed: -1 draws one in the WebUI; here it is 1, or the number given")
    if reading.data.get("eta") is not None:
        values["eta"] = reading.data["eta"]


def _png_info(reading: _Reading) -> None:
    data = reading.data
    if not data.get("img2img_batch_use_png_info"):
        reading.values.pop("png_info_dir", None)
        return
    reading.values["png_info"] = data.get("img2img_batch_png_info_props") or list(PNG_INFO)


def _overrides(reading: _Reading) -> None:
    given = reading.data.get("override_settings") or {}
    if not isinstance(given, Mapping):
        reading.refuse("override_settings", 'takes an object such as {"sd_model_checkpoint": "…"}')
        return
    for key, value in given.items():
        if key not in OVERRIDES:
            names = ", ".join(OVERRIDES)
            reading.refuse(f"override_settings {key}", f"is an option of the WebUI; a film knows {names}")
        elif key != "sd_vae" or value not in ("Automatic", "None", None):
            reading.values[OVERRIDES[key]] = value


def _scripts(reading: _Reading) -> None:
    given = reading.data.get("alwayson_scripts") or {}
    if not isinstance(given, Mapping):
        reading.refuse("alwayson_scripts", 'takes an object such as {"ControlNet": {"args": […]}}')
        return
    for name, script in given.items():
        arguments = script.get("args", ()) if isinstance(script, Mapping) else script
        if name.lower() == "controlnet":
            reading.values["units"] = arguments
        elif arguments:
            reading.values.setdefault("scripts", {})[name] = arguments


def _refusals(reading: _Reading) -> None:
    for key, is_off, sentence in REFUSED:
        value = reading.data.get(key)
        if value is not None and not is_off(value):
            reading.refuse(key, f"{shown(value)} {sentence}")
    if reading.data.get("img2img_batch_output_dir"):
        reading.warnings.append("img2img_batch_output_dir: the frames go to the film's run folder instead")
    image_cfg = reading.data.get("image_cfg_scale")
    if image_cfg not in (None, 1.5):
        reading.warnings.append(
            "image_cfg_scale: only InstructPix2Pix checkpoints use it, so it has no effect"
        )


def _empty(value: object) -> bool:
    return not value


def _one(value: object) -> bool:
    return value == 1


REFUSED: tuple[tuple[str, Callable[[object], bool], str], ...] = (
    ("enable_movie_editor", _empty, "is mov2mov's editor with EbSynth, which is not built; leave it off"),
    ("override_settings_texts", _empty, "is the page's form; give override_settings"),
    (
        "refiner_checkpoint",
        lambda value: value in (None, "", "None"),
        "asks for a refiner, which films have not",
    ),
    ("batch_size", _one, "asks for several pictures of every frame; a film has one"),
    ("n_iter", _one, "asks for several pictures of every frame; a film has one"),
    ("img2img_batch_upload", _empty, "holds uploaded files; put them into a folder"),
)
"""Key, whether a value leaves it off, and what is said otherwise after the value."""

SILENT = (
    *("id_task", "df", "eb_weight", "keyframe_mode", "selected_scale_tab", "scale_by", "sampler_name"),
    *("sampler_index", "eta", "resize_mode", "inpainting_fill", "inpainting_mask_invert", "max_frames"),
    *("override_settings", "alwayson_scripts", "image_cfg_scale", "img2img_batch_output_dir"),
    *("img2img_batch_use_png_info", "img2img_batch_png_info_props", "img2img_batch_source_type"),
    *("refiner_switch_at", "override_settings_restore_afterwards", "seed_enable_extras"),
)
"""Keys that are read by hand, or mean nothing by themselves."""

READERS = (_sampler, _size, _lengths, _choices, _chance, _png_info, _overrides, _scripts, _refusals)


def known_keys() -> frozenset[str]:
    """Every key of theirs that is read."""
    return frozenset((*SAME, *RENAMED, *SILENT, *(key for key, _, _ in REFUSED)))


def _unknown(key: str) -> str:
    near = difflib.get_close_matches(key, [*known_keys(), *specs(Restyle)], n=1, cutoff=0.6)
    hint = f'; the nearest is "{near[0]}"' if near else ""
    return f"{key}: neither mov2mov nor img2img batch has it{hint}; it is kept but has no effect"


def keys_table() -> Iterator[tuple[str, str]]:
    """(key, the settings that it becomes) for the documentation, in their order."""
    for key in SAME:
        yield key, key
    yield from RENAMED.items()


def read(data: Mapping[str, Any], changes: Mapping[str, Any]) -> tuple[Restyle, tuple[str, ...]]:
    """(settings, warnings) of mov2mov's parameters with changed values, by its names or Flipbook's own."""
    native = {name: value for name, value in changes.items() if name in specs(Restyle)}
    foreign = {name: value for name, value in changes.items() if name not in native}
    unknown = [unknown_key(Restyle, name) for name in foreign if name not in known_keys()]
    if unknown:
        raise FlipbookError(*unknown)
    settings, warnings = from_mov2mov({**data, **foreign})
    return settings.changed(native) if native else settings, warnings
