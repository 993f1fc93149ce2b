"""Per-frame ControlNet hints: units without a picture use the clip's video, output n that of frame n."""

from __future__ import annotations

import hashlib
import sys
import tempfile
from typing import Any

import numpy as np
import torch

from lib_anim.webui.clip.task import Pictures
from lib_anim.webui.host import controlnet as control


class ClipHints:
    """The hints of one clip.

    Computed with ControlNet's own preprocessors when a context window first needs them, cached on disk and
    set in ControlNet window by window, so memory does not grow with the clip.
    """

    def __init__(self, source: Pictures, denoised: int) -> None:
        self._source = source
        self._denoised = denoised
        self._units: list[Any] = []
        self._tracks: list[HintTrack] | None = None
        self.received: dict[tuple[int, int], str] = {}
        """(index of the enabled unit, output frame) → SHA-256 of the hint that was computed."""
        self.warnings: list[str] = []

    def attach(self, p: Any) -> None:
        """Set the first frame on units without a picture, which would fail otherwise. Before `init`."""
        if not self._source.video or not control.installed() or p.scripts is None:
            return
        api = sys.modules[control.API]
        units = api.get_all_units_in_processing(p)
        # Copies, since all cells of a plot share the units of one request.
        units = [unit.copy() if _lacks_picture(unit) else unit for unit in units]
        self._units = [unit for unit in units if _lacks_picture(unit)]
        for unit in self._units:
            self._set_picture(unit, 0)
        if self._units:
            api.update_cn_script_in_processing(p, units)

    def apply(self, p: Any, rows: Any) -> None:
        """Set the hints for the rows of one forward pass on every unit that follows the video."""
        if not self._units:
            return
        if self._tracks is None:
            self._tracks = list(self._new_tracks(p))
        for track in self._tracks:
            track.apply(p, [*rows.window] * rows.groups)

    def detach(self) -> None:
        """Restore the units' own hints; called after each sampling."""
        for track in self._tracks or ():
            track.restore()
            self.received |= {(track.number, frame): digest for frame, digest in track.digests.items()}
        self._tracks = None

    def _new_tracks(self, p: Any) -> Any:
        script: Any = next((s for s in p.scripts.alwayson_scripts if s.title() == control.TITLE), None)
        network = getattr(script, "latest_network", None)
        params = getattr(network, "control_params", None) or ()
        for number, (param, unit) in enumerate(zip(params, script.enabled_units, strict=False)):
            if not any(unit is ours for ours in self._units):
                continue
            if not isinstance(param.hint_cond, torch.Tensor) or param.hint_cond.ndim != 4:
                self.warnings.append(
                    f"ControlNet unit {number} ({unit.module}) does not support a picture per frame; "
                    "the first is used for all"
                )
                continue
            yield HintTrack(script, param, unit, number, self._set_picture, self._denoised)

    def _set_picture(self, unit: Any, number: int) -> None:
        unit.image = np.ascontiguousarray(self._source.frame(number))
        mask = self._source.mask(number)
        if mask is not None:
            unit.mask = np.asarray(mask.convert("RGB"))


class HintTrack:
    """The hints of one ControlNet unit, one per frame, cached in a memory-mapped file."""

    def __init__(
        self, script: Any, param: Any, unit: Any, number: int, set_picture: Any, denoised: int
    ) -> None:
        # The script's module is not in sys.modules, so its functions are reached through a method.
        self._functions = script.controlnet_main_entry.__func__.__globals__
        self._param = param
        self._unit = unit
        self.number = number
        self._set_picture = set_picture
        self._count = denoised
        self._own = (param.hint_cond, param.hr_hint_cond)
        self._files = [None if hint is None else self._new_file(hint) for hint in self._own]
        self.digests: dict[int, str] = {}

    def apply(self, p: Any, frames: list[int]) -> None:
        """Set the hints of `frames` in ControlNet, one for each row of its next forward pass."""
        for frame in frames:
            if frame not in self.digests:
                self._compute(p, frame)
        low, high = (
            None if file is None else torch.from_numpy(file[frames]).to(own.device, own.dtype)
            for file, own in zip(self._files, self._own, strict=True)
        )
        self._set_hints(low, high)

    def restore(self) -> None:
        """Set the unit's own hints again."""
        self._set_hints(*self._own)

    def _set_hints(self, low: Any, high: Any) -> None:
        self._param.hr_hint_cond = high
        # Set last: the setter makes ControlNet read both again.
        self._param.hint_cond = low

    def _compute(self, p: Any, frame: int) -> None:
        unit = self._unit.copy()
        unit.save_detected_map = False
        self._set_picture(unit, frame)
        controls, high, _ = self._functions["get_control"](
            p,
            unit,
            self.number,
            self._param.control_model_type,
            self._functions["Preprocessor"].get_preprocessor(unit.module),
        )
        for file, hint in zip(self._files, (controls[0], high[0]), strict=True):
            if file is not None:
                file[frame] = hint[0].float().cpu().numpy()
        assert self._files[0] is not None
        self.digests[frame] = hashlib.sha256(self._files[0][frame].tobytes()).hexdigest()

    def _new_file(self, hint: torch.Tensor) -> np.ndarray:
        with tempfile.TemporaryFile() as file:
            # The memory map keeps the file open; the file is deleted with it.
            return np.memmap(file, np.float32, "w+", shape=(self._count, *hint.shape[1:]))


def _lacks_picture(unit: Any) -> bool:
    return bool(
        unit.enabled
        and unit.image is None
        and unit.ipadapter_input is None
        and unit.input_mode.name == "SIMPLE"
    )
