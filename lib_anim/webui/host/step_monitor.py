"""An always-on script without controls that sees Flipbook's own pictures being made."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from modules import scripts, shared

from lib_anim.engines.contract.engine import Interrupted, OnStep
from lib_anim.webui.host.controlnet import complaint

if TYPE_CHECKING:
    import torch

WATCHED = "flipbook_watch"
"""The attribute of a request that carries its Watch; requests without it are none of ours."""


class StepMonitor:
    """What is learnt while the host makes one picture of a film."""

    def __init__(self, on_step: OnStep | None, units: int = 0, rounds: int = 1) -> None:
        """`units`: ControlNet units that the picture must be made with; `rounds`: how often it is sampled."""
        self._on_step = on_step
        self._units = units
        self._rounds = rounds
        self._before = 0
        """Steps of the rounds that are over."""
        self._done = 0
        """Steps of this round."""
        self.decoded: torch.Tensor | None = None
        """(C, H, W) float32 RGB in [0, 1] as the VAE gave it, before the host's 8 bits; None until then."""
        self.ended: Interrupted | None = None
        """What the step callback raised. The host is asked to stop then, since so it tidies up."""
        self.failed: BaseException | None = None
        """Anything else that it raised, or what else must end the picture."""

    def begins(self, p: Any) -> None:
        """Told right before sampling: ends the picture when ControlNet is not as asked."""
        self.failed = complaint(p, self._units)
        if self.failed is not None:
            shared.state.interrupted = True

    def stepped(self, done: int, total: int) -> None:
        """Tell of a step of this round; a callback that raises makes the host end its sampling."""
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
    """Reads steps and unrounded pixels of requests that carry a Watch; does nothing to all others."""

    def title(self) -> str:
        """Never shown: the script draws nothing."""
        return "Flipbook witness"

    def show(self, is_img2img: bool) -> Any:
        """Always there, in both tabs."""
        return scripts.AlwaysVisible

    def process_before_every_sampling(self, p: Any, *args: Any, **kwargs: Any) -> None:
        """Puts the step callback before the sampler's own, on this request's sampler."""
        watch: StepMonitor | None = getattr(p, WATCHED, None)
        if watch is not None:
            watch.begins(p)
            p.sampler.callback_state = _telling(p.sampler.callback_state, watch)

    def postprocess_batch(self, p: Any, *args: Any, images: Any = None, **kwargs: Any) -> None:
        """Keeps the decoded picture."""
        watch: StepMonitor | None = getattr(p, WATCHED, None)
        if watch is not None and images is not None:
            watch.decoded = images[0].detach().float().cpu().clone()


def _telling(before: Callable[[Any], None], watch: StepMonitor) -> Callable[[Any], None]:
    def callback_state(state: Any) -> None:
        before(state)
        total = max(shared.state.sampling_steps, 1)
        watch.stepped(min(int(state["i"]) + 1, total), total)

    return callback_state
