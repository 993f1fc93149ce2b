"""Deforum's settings files of any age, read as settings of keyframed animation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from lib_anim.errors import FlipbookError, Problem
from lib_anim.kinds.keyframed.deforum.keys import FLAG, KEYS, key_of
from lib_anim.kinds.keyframed.deforum.migrations import OldFile, legacy_colormatch_absent, migrate
from lib_anim.kinds.keyframed.deforum.refusals import Completed, is_plain_mask, refused
from lib_anim.kinds.keyframed.settings import Keyframed
from lib_anim.kinds.sampler_names import NO_SPACING, sampler_names, split_samplers
from lib_anim.settings.base import DEFORUM_KEYS, specs
from lib_anim.settings.fields import DEFORUM, Choice, Flag, problems_of, shown

SWITCHED = (
    # setting, its switch, the key that counts when it is on, and the one when it is off
    ("steps", "enable_steps_scheduling", "steps_schedule", "steps"),
    ("sampler", "enable_sampler_scheduling", "sampler_schedule", "sampler"),
    ("scheduler", "enable_scheduler_scheduling", "scheduler_schedule", "scheduler"),
    ("clip_skip", "enable_clipskip_scheduling", "clipskip_schedule", None),
    ("noise_multiplier", "enable_noise_multiplier_scheduling", "noise_multiplier_schedule", None),
    ("checkpoint", "enable_checkpoint_scheduling", "checkpoint_schedule", None),
    ("subseed", "enable_subseed_scheduling", "subseed_schedule", None),
    ("subseed_strength", "enable_subseed_scheduling", "subseed_strength_schedule", None),
)
"""Numbers that Deforum keeps in two keys and a switch, and Flipbook in one schedule. Without a key for
off, Flipbook's default is what the WebUI does then."""

MASK_SETTINGS = (
    ("mask_invert", "invert_mask"),
    ("mask_contrast", "mask_contrast_adjust"),
    ("mask_brightness", "mask_brightness_adjust"),
    ("mask_blur", "mask_overlay_blur"),
    ("mask_fill", "fill"),
    ("mask_only", "full_res_mask"),
    ("mask_padding", "full_res_mask_padding"),
    ("mask_overlay", "overlay_mask"),
)
"""Settings of a mask and their keys; they count only where there is one."""

BLANK_FRAMES = {"ignore": "keep", "reroll": "repaint", "interrupt": "stop"}

DECIDED = frozenset(
    {"W", "H", "prompts", "animation_prompts_positive", "animation_prompts_negative"}
    | {"init_image", "strength", "color_coherence", "color_coherence_image_path", "soundtrack_path"}
    | {"ddim_eta_schedule", "ancestral_eta_schedule", "reroll_blank_frames"}
    | {
        "mask_schedule",
        "noise_mask_schedule",
        "video_init_path",
        "extract_from_frame",
        "extract_to_frame",
        "extract_nth_frame",
    }
    | {"color_coherence_video_every_N_frames", "mask_file", "use_alpha_as_mask", "video_mask_path"}
    | {key for _, key in MASK_SETTINGS}
    | {key for _, _, *keys in SWITCHED for key in keys if key}
)
"""Keys that reach their setting through one of `_Reading`'s decisions, not straight from the table."""

INERT = ("legacy_colormatch", "delete_imgs", "skip_video_creation")
"""Keys that people switch on and that have no effect here: each is said in a warning."""

NAMED = 12
"""Unknown keys that a warning names before it counts the rest."""

TELLING = frozenset(KEYS) - frozenset(specs(Keyframed)) | {"animation_prompts"}
"""Keys that only a Deforum file has."""


def is_deforum(data: Mapping[str, Any]) -> bool:
    """Whether an object is a Deforum settings file, recognised by its keys."""
    return "kind" not in data and any(key in TELLING or key.startswith("cn_1_") for key in data)


def from_deforum(data: Mapping[str, Any]) -> tuple[Keyframed, tuple[str, ...]]:
    """(settings, warnings) from a Deforum settings file of any age; missing keys take Deforum's defaults.

    Keys that reach no setting are kept in `extra` under "deforum", with today's names. Raises
    FlipbookError with every problem of the file, each under the key as the file has it: values that
    are not allowed, and features that are switched on and not built yet.
    """
    return _Reading(migrate(data)).result()


class _Reading:
    """One file on its way into settings."""

    def __init__(self, file: OldFile) -> None:
        self.file = file
        self.values = Completed(file.values)
        self.settings: dict[str, Any] = {}
        self.keys: dict[str, str] = {}
        """Setting → the key that it was taken from."""
        self.warnings = list(file.warnings)
        self.problems = list(refused(file.values))

    def result(self) -> tuple[Keyframed, tuple[str, ...]]:
        """The settings and warnings. Raises FlipbookError."""
        self.flags()
        for decide in (
            self.straight,
            self.switched,
            self.sizes,
            self.prompts,
            self.init,
            self.video,
            self.masks,
            self.blanks,
            self.spacing,
            self.eta,
            self.colors,
            self.sound,
            self.remarks,
        ):
            decide()
        kept = {k: v for k, v in self.file.values.items() if k not in self.keys.values()}
        try:
            settings = Keyframed(**self.settings, dialect=DEFORUM, extra={DEFORUM_KEYS: kept} if kept else {})
        except FlipbookError as error:
            own = (replace(p, field=self.keys.get(p.field, p.field)) for p in error.problems)
            self.problems.extend(p for p in own if p.field not in {known.field for known in self.problems})
        if self.problems:
            raise FlipbookError(*(replace(p, field=self.file.origin(p.field)) for p in self.problems))
        return settings, tuple(self.warnings)

    def take(self, setting: str, key: str, value: Any = None) -> None:
        """Gives a setting the value of a key, or one made of it."""
        self.settings[setting] = self.values[key] if value is None else value
        self.keys[setting] = key

    def flags(self) -> None:
        """Every flag of the file is one."""
        spec = Flag(label="", help="")
        for name, value in self.file.values.items():
            key = key_of(name)
            if key is not None and key.kind == FLAG:
                self.problems.extend(problems_of(spec, name, value)[1])

    def straight(self) -> None:
        """Keys whose value is the setting's, but for those that are refused already."""
        wrong = {problem.field for problem in self.problems}
        for key in KEYS.values():
            if key.field and key.name not in DECIDED and key.name not in wrong:
                self.take(key.field, key.name)

    def switched(self) -> None:
        """Two keys and a switch become one schedule."""
        for setting, switch, key_on, key_off in SWITCHED:
            key = key_on if self.values[switch] is True else key_off
            if key is not None:
                self.take(setting, key)

    def sizes(self) -> None:
        """Deforum paints W − W mod 8 by H − H mod 8 pixels."""
        for setting, key in (("width", "W"), ("height", "H")):
            size = self.values[key]
            if isinstance(size, int) and size % 8:
                self.warnings.append(
                    f"{self.file.origin(key)}: {size} is not a multiple of 8; {size - size % 8} is used"
                )
                size -= size % 8
            self.take(setting, key, size)

    def prompts(self) -> None:
        """Prompts with the text that stands before and after all of them."""
        self.take("prompts", "prompts", self.values["prompts"] or {"0": ""})
        self.take("positive", "animation_prompts_positive")
        negative = self.values["animation_prompts_negative"]
        if isinstance(negative, str):
            negative = negative.replace("--neg", "")
        self.take("negative", "animation_prompts_negative", negative)
        if not self.values["prompts"] and not self.settings["positive"]:
            self.warnings.append("prompts: the file has none; the film is painted without a prompt")

    def init(self) -> None:
        """Pictures are stretched to the frame; Deforum holds the init image's strength within 0 and 1."""
        self.settings["init_fit"] = "stretch"
        if self.values["use_init"] is not True:
            return
        self.take("init_image", "init_image")
        strength = self.values["strength"]
        if isinstance(strength, int | float) and not 0 <= strength <= 1:
            held = min(max(strength, 0.0), 1.0)
            self.warnings.append(f"strength: {strength} is outside 0 to 1; {held:g} is used, as in Deforum")
            strength = held
        self.take("init_strength", "strength", strength)

    def video(self) -> None:
        """Video Input takes every frame of the video whose number Deforum's n divides, and paints each."""
        if str(self.settings.get("mode")).strip().lower() != "video input":
            return
        self.take("video", "video_init_path")
        first, last, every = (self.values[f"extract_{name}_frame"] for name in ("from", "to", "nth"))
        every = max(1, every) if isinstance(every, int) else every
        if isinstance(first, int) and isinstance(every, int):
            first += -first % every
        self.take("video_start", "extract_from_frame", first)
        self.take(
            "video_stop", "extract_to_frame", last + 1 if isinstance(last, int) and last != -1 else last
        )
        self.take("video_every", "extract_nth_frame", every)
        # Its length is the video's, and nothing lies between painted frames: both keys count for nothing.
        self.settings |= {"frames": 0, "cadence": 1}
        del self.keys["frames"], self.keys["cadence"]

    def masks(self) -> None:
        """A mask from a video, the init image's alpha or a file; it holds for the noise if that has none."""
        if self.values["use_noise_mask"] is True:
            self.take("noise_mask_expression", "noise_mask_schedule")
        with_video = self.values["use_mask_video"] is True
        if self.values["use_mask"] is not True and not with_video:
            return
        if with_video:
            self.take("mask_video", "video_mask_path")
        elif self.values["use_alpha_as_mask"] is True and self.values["use_init"] is True:
            self.take("mask_alpha", "use_alpha_as_mask")
        else:
            self.take("mask_image", "mask_file")
        for setting, key in MASK_SETTINGS:
            self.take(setting, key)
        if not is_plain_mask(self.values["mask_schedule"]):
            self.take("mask_expression", "mask_schedule")
        self.settings["mask_noise"] = self.values["use_noise_mask"] is not True
        if with_video and self.settings.get("video") is None:
            self.warnings.append(
                "use_mask_video: the film has max_frames frames, not as many as the mask video"
            )

    def blanks(self) -> None:
        """What becomes of black frames has other words here."""
        word = self.values["reroll_blank_frames"]
        self.take("blank_frames", "reroll_blank_frames", BLANK_FRAMES.get(str(word).strip().lower(), word))

    def spacing(self) -> None:
        """A sampler "DPM++ 2M Karras" is the sampler "DPM++ 2M" with the scheduler "Karras"."""
        sampler = self.settings["sampler"]
        if isinstance(sampler, str):
            self.settings["sampler"], scheduler = split_samplers(sampler)
            if scheduler != NO_SPACING:
                self.settings["scheduler"] = scheduler

    def eta(self) -> None:
        """DDIM has an eta of its own; all other samplers share the ancestral one."""
        names = sampler_names(str(self.settings["sampler"]))
        switch = "enable_ddim_eta_scheduling" if "DDIM" in names else "enable_ancestral_eta_scheduling"
        if self.values[switch] is not True:
            return
        if "DDIM" in names and len(names) > 1:
            sentence = (
                "the film uses DDIM and other samplers, and it has one eta; set it to false or use one sort"
            )
            self.problems.append(Problem(sentence, field=switch, code="import.unsupported"))
        self.take("eta", "ddim_eta_schedule" if "DDIM" in names else "ancestral_eta_schedule")

    def colors(self) -> None:
        """A picture or video as colour reference is matched in LAB, as Deforum does."""
        source = str(self.values["color_coherence"]).strip().lower()
        if source not in ("image", "video input"):
            self.take("color_coherence", "color_coherence")
            return
        self.take("color_coherence", "color_coherence", "LAB")
        if source == "video input":
            self.take("color_video", "video_init_path")
            self.take("color_video_every", "color_coherence_video_every_N_frames")
            return
        self.take("color_reference", "color_coherence_image_path")
        if not str(self.settings["color_reference"]).strip():
            sentence = 'it is empty, but color_coherence is "Image"; give the path of a picture'
            self.problems.append(
                Problem(sentence, field="color_coherence_image_path", code="settings.missing_file")
            )

    def sound(self) -> None:
        """A sound file, or the video's sound, counts only where `add_soundtrack` asks for it."""
        spec = Choice(label="", help="", options=("None", "File", "Init Video"))
        chosen, problems = problems_of(spec, "add_soundtrack", self.values["add_soundtrack"])
        self.problems.extend(problems)
        if chosen == "File":
            self.take("soundtrack", "soundtrack_path")
        elif chosen == "Init Video":
            self.take("soundtrack", "video_init_path")

    def remarks(self) -> None:
        """Warnings about keys that are on, or not known, and have no effect."""
        for name in INERT:
            key, value = KEYS[name], self.values[name]
            if value == key.default or (
                name == "legacy_colormatch" and self.settings["color_coherence"] == "None"
            ):
                continue
            if name == "legacy_colormatch" and legacy_colormatch_absent.__name__ in self.file.applied:
                said = f"the file is older than {name}, when colours were matched before painting only"
            else:
                said = f"{self.file.origin(name)}: {shown(value)} has no effect"
            self.warnings.append(f"{said}; {key.kept}")
        unknown = [self.file.origin(name) for name in self.file.values if key_of(name) is None]
        if unknown:
            names = ", ".join(f'"{name}"' for name in unknown[:NAMED])
            names += f" and {len(unknown) - NAMED} more" if len(unknown) > NAMED else ""
            self.warnings.append(
                f"neither Deforum 3.0 nor Flipbook has the keys {names}; they are kept without effect"
            )


def read(data: Mapping[str, Any], changes: Mapping[str, Any]) -> tuple[Keyframed, tuple[str, ...]]:
    """(settings, warnings) of a Deforum file with changed values, by Deforum's names or Flipbook's own."""
    native = {
        name: value
        for name, value in changes.items()
        if name in specs(Keyframed) and name not in data and key_of(name) is None
    }
    foreign = {name: value for name, value in changes.items() if name not in native}
    settings, warnings = from_deforum({**data, **foreign})
    return settings.changed(native) if native else settings, warnings
