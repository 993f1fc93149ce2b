"""Always-on script without controls that monitors the rendering of Flipbook's own requests."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from modules import scripts, shared

from lib_anim.engines.contract.engine import Interrupted, OnStep
from lib_anim.webui.host.controlnet import units_error

if TYPE_CHECKING:
    import torch

MONITOR = "flipbook_monitor"
"""Attribute of a request that contains its StepMonitor; only Flipbook's requests have it."""


class StepMonitor:
    """Progress, decoded picture and errors of one request of a film."""

    def __init__(self, on_step: OnStep | None, units: int = 0, rounds: int = 1) -> None:
        """`units`: number of ControlNet units that must be loaded; `rounds`: number of samplings."""
        self._on_step = on_step
        self._units = units
        self._rounds = rounds
        self._before = 0
        """Steps of the completed rounds."""
        self._done = 0
        """Steps of this round."""
        self.decoded: torch.Tensor | None = None
        """(C, H, W) float32 RGB in [0, 1] from the VAE, before the conversion to 8 bits; None until then."""
        self.ended: Interrupted | None = None
        """Interrupted that the step callback raised; the host is then interrupted, so that it cleans up."""
        self.failed: BaseException | None = None
        """Any other exception of the step callback, or the ControlNet error that ends the picture."""

    def check_units(self, p: Any) -> None:
        """Interrupt the host when ControlNet units are missing; called right before sampling."""
        self.failed = units_error(p, self._units)
        if self.failed is not None:
            shared.state.interrupted = True

    def report_step(self, done: int, total: int) -> None:
        """Report a step of this round; an exception of the callback interrupts the host."""
        if done <= self._done:
            self._before += self._done
        self._done = done
        if self._on_step is None or self.ended is not None or self.failed is not None:
            return
        try:
            self._on_step(self._before + done, total * self._rounds)
        except Interrupted as end:
            self.ended = end
            shared.state.interrupted = True
        except BaseException as error:
            self.failed = error
            shared.state.interrupted = True


class StepMonitorScript(scripts.Script):  # type: ignore[misc]
    """Passes steps and the unrounded picture to a request's StepMonitor; ignores other requests."""

    def title(self) -> str:
        """Never shown: the script draws nothing."""
        return "Flipbook step monitor"

    def show(self, is_img2img: bool) -> Any:
        """Always visible, in both tabs."""
        return scripts.AlwaysVisible

    def process_before_every_sampling(self, p: Any, *args: Any, **kwargs: Any) -> None:
        """Add the monitor to the step callback of this request's sampler."""
        monitor: StepMonitor | None = getattr(p, MONITOR, None)
        if monitor is not None:
            monitor.check_units(p)
            p.sampler.callback_state = _with_monitor(p.sampler.callback_state, monitor)

    def postprocess_batch(self, p: Any, *args: Any, images: Any = None, **kwargs: Any) -> None:
        """Store the decoded picture in the monitor."""
        monitor: StepMonitor | None = getattr(p, MONITOR, None)
        if monitor is not None and images is not None:
            monitor.decoded = images[0].detach().float().cpu().clone()


def _with_monitor(before: Callable[[Any], None], monitor: StepMonitor) -> Callable[[Any], None]:
    def callback_state(state: Any) -> None:
        before(state)
        total = max(shared.state.sampling_steps, 1)
        monitor.report_step(min(int(state["i"]) + 1, total), total)

    return callback_state
