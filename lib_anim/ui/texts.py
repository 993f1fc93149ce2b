"""Texts of the tab that belong to no setting, whole, for the WebUI's localisation files."""

from __future__ import annotations

TITLE = "Animation"

VIEWS = (
    "Generate",
    "Preview motion",
    "Before the long run",
    "Every 10th frame",
    "Half size",
    "Frame",
    "This frame",
    "Engine",
    "Label",
    "The chosen one",
    "Scripts",
    "Presets",
)
"""Texts of the tab's own buttons and headings."""

GROUPS = {
    "Film": "Film: mode, seed, rhythm",
    "Init": "Init image and video",
    "Mask": "Mask",
    "Painting": "Painting: checkpoint, sampler, steps, seeds",
    "Motion": "Motion: camera, borders, cadence",
    "Coherence": "Coherence: colour, noise, sharpness",
    "Language": "Language of schedules",
}
"""Group of settings → what its accordion says. Groups that are not here say their own name."""

PAGE = {
    "frame": "Frame",
    "of": "of",
    "left": "left",
    "queued": "Waiting",
    "running": "Rendering",
    "done": "Done",
    "failed": "Failed",
    "cancelled": "Stopped",
    "stopping": "Stopping after this frame",
    "empty": "Your film appears here.",
    "empty hint": "Write a prompt and press Generate. A film, or a settings file of Flipbook or Deforum,"
    " that is dropped here brings its settings.",
    "interrupt": "Interrupt",
    "resume": "Resume",
    "remove": "Remove from list",
    "up": "Earlier",
    "down": "Later",
    "show": "Show",
    "sheet": "Contact sheet",
    "film": "Film",
    "folder": "Run folder",
    "copied": "Copied",
    "settings": "Use its settings",
    "send to animation": "Send to Animation",
    "to animation": "Send picture to the Animation tab, as init image.",
    "to restyle": "Send to restyle",
    "to assemble": "Send to assemble",
    "to img2img": "Send frame to img2img",
    "runs": "Runs and queue",
    "no runs": "Nothing rendered yet.",
    "estimate": "Estimate",
    "at most": "at most",
    "preview": "Motion preview",
    "previewing": "Drawing the motion on a checkerboard",
    "waiting": "Waiting for Flipbook's server",
    "choose": "Choose…",
    "drop": "Drop a picture or a film here",
    "every frame": "The same at every frame",
    "load": "Load",
    "save": "Save",
    "rename": "Rename",
    "delete": "Delete",
    "import": "Import…",
    "export": "Export",
    "preset": "Preset",
    "name": "Name",
    "part": "Part",
    "whole": "whole",
    "motion": "motion",
    "prompts": "prompts",
    "output": "output",
    "loaded": "Loaded",
    "imported": "Imported; Load brings it into the form",
    "saved": "Saved",
    "deleted": "Deleted",
}
"""Texts that the page's scripts show."""
