"""What older Deforum files say differently: one named migration for each thing that changed.

A migration's docstring is its entry in `docs/coming-from/deforum.md`; they run in the order in which
they stand here. After them a file has the keys and types of `deforum_keys`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from lib_anim.kinds.keyframed.deforum.keys import (
    CHOICE,
    FILLS,
    FLAG,
    NOTEBOOK_SAMPLERS,
    NUMBER,
    SAMPLERS_BY_NUMBER,
    SCHEDULE,
    WHOLE,
    key_of,
)


@dataclass
class OldFile:
    """A settings file while it is brought up to date."""

    values: dict[str, Any]
    origins: dict[str, str] = field(default_factory=dict)
    """Present key → the key in the user's file, where they differ."""
    warnings: list[str] = field(default_factory=list)
    applied: list[str] = field(default_factory=list)
    """Names of the migrations that changed something."""

    def origin(self, key: str) -> str:
        """The key as the user's file has it."""
        return self.origins.get(key, key)

    def rename(self, old: str, new: str) -> None:
        """Gives a value its present key. A file that has both keeps the present one."""
        if old not in self.values:
            return
        value = self.values.pop(old)
        if new not in self.values:
            self.values[new] = value
            self.origins[new] = self.origin(old)

    def put(self, key: str, value: Any, because: str) -> None:
        """Sets a key for the sake of another one, which problems will name."""
        self.values[key] = value
        self.origins[key] = self.origin(because)

    def swap(self, key: str, values: Mapping[Any, Any]) -> None:
        """Replaces a value that went by another name."""
        value = self.values.get(key)
        if isinstance(value, str | bool | int) and (type(value), value) in {(type(k), k) for k in values}:
            self.values[key] = values[value]


Migration = Callable[[OldFile], None]
MIGRATIONS: dict[str, Migration] = {}


def migration(function: Migration) -> Migration:
    """Registers a migration under its name."""
    MIGRATIONS[function.__name__] = function
    return function


def migrate(data: Mapping[str, Any]) -> OldFile:
    """A settings file of any age with today's keys and types. The given object is left alone."""
    file = OldFile(dict(data))
    for name, change in MIGRATIONS.items():
        before = dict(file.values)
        change(file)
        # `True == 1` in Python, so the types count too.
        if list(map(repr, before.items())) != list(map(repr, file.values.items())):
            file.applied.append(name)
    return file


@migration
def null_is_default(file: OldFile) -> None:
    """A key with `null` (`init_image` of a run without one, an empty `parseq_manifest`) counts as absent."""
    file.values = {key: value for key, value in file.values.items() if value is not None}


@migration
def animation_prompts(file: OldFile) -> None:
    """`animation_prompts` is `prompts`; it wins over the notebook's list of `prompts` for stills."""
    if "animation_prompts" in file.values:
        file.values.pop("prompts", None)
        file.rename("animation_prompts", "prompts")


@migration
def prompts_as_text(file: OldFile) -> None:
    """Prompts whose JSON stands in a text, as the page's field holds them, are read as JSON."""
    prompts = file.values.get("prompts")
    if isinstance(prompts, str):
        try:
            value = json.loads(prompts)
        except ValueError:
            return
        if isinstance(value, dict):
            file.values["prompts"] = value


@migration
def notebook_negative_prompts(file: OldFile) -> None:
    """The notebook's `neg_prompts`, keyed by frame, become the `--neg` part of `prompts`."""
    negatives, prompts = file.values.get("neg_prompts"), file.values.get("prompts")
    if not isinstance(negatives, dict) or not isinstance(prompts, dict):
        return
    if not all(str(key).isdigit() for key in (*negatives, *prompts)):
        return
    del file.values["neg_prompts"]
    frames = sorted({int(key) for key in (*negatives, *prompts)})
    texts = ({int(k): str(v) for k, v in each.items()} for each in (prompts, negatives))
    positive, negative = (_held(each, frames) for each in texts)
    file.values["prompts"] = {
        str(frame): f"{positive[frame]} --neg {negative[frame]}" if negative[frame] else positive[frame]
        for frame in frames
    }


def _held(texts: Mapping[int, str], frames: Iterable[int]) -> dict[int, str]:
    """The text at each frame: the last one before it, or the first one before any."""
    keys = sorted(texts)
    if not keys:
        return dict.fromkeys(frames, "")
    return {frame: texts[max((k for k in keys if k <= frame), default=keys[0])] for frame in frames}


@migration
def sizes_by_name(file: OldFile) -> None:
    """`width` and `height` (deforum-studio, the HTTP API of others) are `W` and `H`."""
    file.rename("width", "W")
    file.rename("height", "H")


@migration
def notebook_scale(file: OldFile) -> None:
    """The notebook's one number `scale` is `cfg_scale_schedule`."""
    file.rename("scale", "cfg_scale_schedule")


@migration
def notebook_camera(file: OldFile) -> None:
    """The notebook's numbers `near_plane`, `far_plane` and `fov` are the schedules of that name."""
    file.rename("near_plane", "near_schedule")
    file.rename("far_plane", "far_schedule")
    file.rename("fov", "fov_schedule")


@migration
def ddim_eta(file: OldFile) -> None:
    """One number `ddim_eta` is `ddim_eta_schedule`, switched on unless it is 0."""
    eta = file.values.get("ddim_eta")
    file.rename("ddim_eta", "ddim_eta_schedule")
    if eta not in (None, 0, "0") and "enable_ddim_eta_scheduling" not in file.values:
        file.put("enable_ddim_eta_scheduling", True, because="ddim_eta_schedule")


@migration
def seed_extras(file: OldFile) -> None:
    """`seed_enable_extras` with the numbers `subseed` and `subseed_strength` is subseed scheduling."""
    file.rename("seed_enable_extras", "enable_subseed_scheduling")
    file.rename("subseed", "subseed_schedule")
    file.rename("subseed_strength", "subseed_strength_schedule")


@migration
def notebook_sampler_switch(file: OldFile) -> None:
    """The notebook's `enable_schedule_samplers` is `enable_sampler_scheduling`."""
    file.rename("enable_schedule_samplers", "enable_sampler_scheduling")


@migration
def sampler_name(file: OldFile) -> None:
    """deforum-studio's `sampler_name` is `sampler`; a file that has both keeps `sampler`."""
    file.rename("sampler_name", "sampler")


@migration
def sampler_by_number(file: OldFile) -> None:
    """A sampler written as its number in the WebUI's list of early 2023 gets its name."""
    number = file.values.get("sampler")
    if isinstance(number, bool) or not isinstance(number, int):
        return
    if 0 <= number < len(SAMPLERS_BY_NUMBER):
        file.values["sampler"] = SAMPLERS_BY_NUMBER[number]


@migration
def notebook_samplers(file: OldFile) -> None:
    """Sampler names of the notebook and deforum-studio (`klms`, `dpmpp_2m` …) are the WebUI's."""
    file.swap("sampler", NOTEBOOK_SAMPLERS)
    schedule = file.values.get("sampler_schedule")
    if isinstance(schedule, str):
        words = "|".join(sorted(NOTEBOOK_SAMPLERS, key=len, reverse=True))
        named = re.sub(rf"(?<=['\"])({words})(?=['\"])", lambda m: NOTEBOOK_SAMPLERS[m[1]], schedule)
        file.values["sampler_schedule"] = named


@migration
def fill_by_number(file: OldFile) -> None:
    """`fill` written as 0 to 3 gets its name."""
    file.swap("fill", dict(enumerate(FILLS)))


@migration
def match_frame_0(file: OldFile) -> None:
    """`color_coherence` "Match Frame 0 LAB" (HSV, RGB) is "LAB" (HSV, RGB)."""
    file.swap("color_coherence", {f"Match Frame 0 {space}": space for space in ("HSV", "LAB", "RGB")})


@migration
def histogram_matching(file: OldFile) -> None:
    """`histogram_matching` went; a file that has it on is warned, since nothing stands in its place."""
    if file.values.pop("histogram_matching", False) not in (False, "False", "false", 0):
        file.warnings.append("histogram_matching: Deforum dropped it, and it has no effect here either")


@migration
def flip_2d_perspective(file: OldFile) -> None:
    """`flip_2d_perspective` is `enable_perspective_flip`."""
    file.rename("flip_2d_perspective", "enable_perspective_flip")


@migration
def skip_video_for_run_all(file: OldFile) -> None:
    """`skip_video_for_run_all` is `skip_video_creation`."""
    file.rename("skip_video_for_run_all", "skip_video_creation")


@migration
def hybrid_video_names(file: OldFile) -> None:
    """`hybrid_video_…` (December 2022, the notebook) is `hybrid_…`."""
    for key in [key for key in file.values if key.startswith("hybrid_video_")]:
        file.rename(key, "hybrid_" + key.removeprefix("hybrid_video_"))


@migration
def hybrid_composite_flag(file: OldFile) -> None:
    """`hybrid_composite` false is "None", true is "Normal"."""
    file.swap("hybrid_composite", {False: "None", True: "Normal"})


@migration
def flow_flags(file: OldFile) -> None:
    """`optical_flow_cadence` and `optical_flow_redo_generation` false are "None", true is "DIS Fine"."""
    for key in ("optical_flow_cadence", "optical_flow_redo_generation"):
        file.swap(key, {False: "None", True: "DIS Fine"})


@migration
def use_zoe_depth(file: OldFile) -> None:
    """`use_zoe_depth` is `depth_algorithm`: true "Zoe+AdaBins (old)", false "Midas+AdaBins (old)"."""
    file.rename("use_zoe_depth", "depth_algorithm")
    old = {True: "Zoe+AdaBins (old)", False: "Midas+AdaBins (old)"}
    file.swap("depth_algorithm", {**old, "True": old[True], "False": old[False]})


@migration
def soundtrack_flag(file: OldFile) -> None:
    """`add_soundtrack` false is "None", true is "File"."""
    file.swap("add_soundtrack", {False: "None", True: "File"})


@migration
def single_controlnet_unit(file: OldFile) -> None:
    """`controlnet_…` (one unit, early 2023) is `cn_1_…`; `controlnet_lowvram` is `cn_1_low_vram`."""
    file.rename("controlnet_lowvram", "cn_1_low_vram")
    for key in [key for key in file.values if key.startswith("controlnet_")]:
        file.rename(key, "cn_1_" + key.removeprefix("controlnet_"))


@migration
def controlnet_numbers(file: OldFile) -> None:
    """A number in `cn_{i}_weight`, `_guidance_start` or `_guidance_end` is a schedule that holds it."""
    _numbers_to_schedules(file, [name for name in file.values if name.startswith("cn_")])


@migration
def numbers_as_schedules(file: OldFile) -> None:
    """A number where a schedule belongs (`"zoom": 1.02`, the notebook's `scale`) is a schedule of it."""
    _numbers_to_schedules(file, file.values)


def _numbers_to_schedules(file: OldFile, names: Iterable[str]) -> None:
    for name in names:
        key, value = key_of(name), file.values[name]
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if number and key is not None and key.kind == SCHEDULE:
            file.values[name] = f"0:({value})"


@migration
def controlnet_resize_modes(file: OldFile) -> None:
    """`cn_{i}_resize_mode` "Envelope (Outer Fit)" and "Scale to Fit (Inner Fit)" have new names."""
    names = {
        "Envelope (Outer Fit)": "Outer Fit (Shrink to Fit)",
        "Scale to Fit (Inner Fit)": "Inner Fit (Scale to Fit)",
    }
    for name in [name for name in file.values if re.fullmatch(r"cn_\d+_resize_mode", name)]:
        file.swap(name, names)


@migration
def init_mask_name(file: OldFile) -> None:
    """`{init_mask}` in a mask schedule is `{video_mask}`; Deforum's help promises it, its code lacks it."""
    for key in ("mask_schedule", "noise_mask_schedule"):
        if isinstance(file.values.get(key), str):
            file.values[key] = file.values[key].replace("{init_mask}", "{video_mask}")


@migration
def guided_image_leftovers(file: OldFile) -> None:
    """Values of the moment that a run with guided images leaves in its file are dropped."""
    for key in ("imageStrength", "tweeningFrameSchedule", "colorCorrectionFactor", "imagesToKeyframe"):
        file.values.pop(key, None)


@migration
def no_seed(file: OldFile) -> None:
    """An empty `seed` is −1: one is drawn."""
    file.swap("seed", {"": -1})


@migration
def numbers_as_text(file: OldFile) -> None:
    """A number or flag written as text (`"diffusion_cadence": "2"`, `"True"`) is read as what it says."""
    for name, value in file.values.items():
        key = key_of(name)
        if key is None or not isinstance(value, str):
            continue
        text = value.strip().lower()
        if key.kind == FLAG and text in ("true", "false"):
            file.values[name] = text == "true"
        elif key.kind in (WHOLE, NUMBER):
            try:
                number = float(text)
            except ValueError:
                continue
            file.values[name] = int(number) if number.is_integer() else number


@migration
def flags_as_numbers(file: OldFile) -> None:
    """A flag written as 0 or 1 is off or on; a choice written as `false` is "None"."""
    for name, value in file.values.items():
        key = key_of(name)
        if key is not None and key.kind == FLAG and type(value) is int and value in (0, 1):
            file.values[name] = bool(value)
        if key is not None and key.kind == CHOICE and value is False:
            file.values[name] = "None"


@migration
def legacy_colormatch_absent(file: OldFile) -> None:
    """A file without `legacy_colormatch` is older than the key, which then counts as on."""
    file.values.setdefault("legacy_colormatch", True)
