"""ControlNet units without a picture follow the clip's video: output n has the hint of frame n."""

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

    Made with ControlNet's own preprocessing when a window first asks for them, kept on the disk, and put
    into ControlNet window by window: memory does not grow with the clip.
    """

    def __init__(self, source: Pictures, denoised: int) -> None:
        self._source = source
        self._denoised = denoised
        self._bare: list[Any] = []
        self._tracks: list[HintTrack] | None = None
        self.received: dict[tuple[int, int], str] = {}
        """(number of the enabled unit, output frame) → SHA-256 of the hint that it was given."""
        self.warnings: list[str] = []

    def attach(self, p: Any) -> None:
        """Told before the host begins: units without a picture get the first frame, or they would fail."""
        if not self._source.video or not control.installed() or p.scripts is None:
            return
        api = sys.modules[control.API]
        units = api.get_all_units_in_processing(p)
        # A plot makes many clips of one request's units: what is given here is for this clip.
        units = [unit.copy() if _bare(unit) else unit for unit in units]
        self._bare = [unit for unit in units if _bare(unit)]
        for unit in self._bare:
            self._show(unit, 0)
        if self._bare:
            api.update_cn_script_in_processing(p, units)

    def take(self, p: Any, rows: Any) -> None:
        """Give every unit that follows the video its hints for the rows of a pass."""
        if not self._bare:
            return
        if self._tracks is None:
            self._tracks = list(self._found(p))
        for track in self._tracks:
            track.take(p, [*rows.window] * rows.groups)

    def let_go(self) -> None:
        """Take the last window's hints out again, also for the next sampling of this request."""
        for track in self._tracks or ():
            track.let_go()
            self.received |= {(track.number, frame): digest for frame, digest in track.digests.items()}
        self._tracks = None

    def _found(self, p: Any) -> Any:
        script: Any = next((s for s in p.scripts.alwayson_scripts if s.title() == control.TITLE), None)
        network = getattr(script, "latest_network", None)
        params = getattr(network, "control_params", None) or ()
        for number, (param, unit) in enumerate(zip(params, script.enabled_units, strict=False)):
            if not any(unit is bare for bare in self._bare):
                continue
            if not isinstance(param.hint_cond, torch.Tensor) or param.hint_cond.ndim != 4:
                self.warnings.append(
                    f"ControlNet unit {number} ({unit.module}) takes no picture per frame; the first holds."
                )
                continue
            yield HintTrack(script, param, unit, number, self._show, self._denoised)

    def _show(self, unit: Any, number: int) -> None:
        unit.image = np.ascontiguousarray(self._source.frame(number))
        mask = self._source.mask(number)
        if mask is not None:
            unit.mask = np.asarray(mask.convert("RGB"))


class HintTrack:
    """One unit's hints, frame by frame."""

    def __init__(self, script: Any, param: Any, unit: Any, number: int, show: Any, denoised: int) -> None:
        # The script's file is loaded under no name, so its functions are found through its class.
        self._parts = script.controlnet_main_entry.__func__.__globals__
        self._param = param
        self._unit = unit
        self.number = number
        self._show = show
        self._count = denoised
        self._own = (param.hint_cond, param.hr_hint_cond)
        self._kept = [None if hint is None else self._file(hint) for hint in self._own]
        self.digests: dict[int, str] = {}

    def take(self, p: Any, frames: list[int]) -> None:
        """Give ControlNet the hints of `frames`, one for each row of its next pass."""
        for frame in frames:
            if frame not in self.digests:
                self._make(p, frame)
        low, high = (
            None if kept is None else torch.from_numpy(kept[frames]).to(own.device, own.dtype)
            for kept, own in zip(self._kept, self._own, strict=True)
        )
        self._put(low, high)

    def let_go(self) -> None:
        self._put(*self._own)

    def _put(self, low: Any, high: Any) -> None:
        self._param.hr_hint_cond = high
        # Last: setting it makes ControlNet look at both again.
        self._param.hint_cond = low

    def _make(self, p: Any, frame: int) -> None:
        unit = self._unit.copy()
        unit.save_detected_map = False
        self._show(unit, frame)
        controls, high, _ = self._parts["get_control"](
            p,
            unit,
            self.number,
            self._param.control_model_type,
            self._parts["Preprocessor"].get_preprocessor(unit.module),
        )
        for kept, made in zip(self._kept, (controls[0], high[0]), strict=True):
            if kept is not None:
                kept[frame] = made[0].float().cpu().numpy()
        assert self._kept[0] is not None
        self.digests[frame] = hashlib.sha256(self._kept[0][frame].tobytes()).hexdigest()

    def _file(self, hint: torch.Tensor) -> np.ndarray:
        with tempfile.TemporaryFile() as file:
            # The map holds the file open, and with it ends the file.
            return np.memmap(file, np.float32, "w+", shape=(self._count, *hint.shape[1:]))


def _bare(unit: Any) -> bool:
    return bool(
        unit.enabled
        and unit.image is None
        and unit.ipadapter_input is None
        and unit.input_mode.name == "SIMPLE"
    )
