"""A small extension for tests: lets hooks of the host and its network fail when a test asks for it."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from modules import script_callbacks, scripts, shared

FAULT: dict[str, Any] = {}
"""What is to fail: a `hook` by name, once; or the `network`, a message, after `passes`, `times` times."""

HANDLES: list[Any] = []
"""What hangs on the network."""


class Faults(scripts.Script):
    """Fails in every hook when it is asked to."""

    def title(self) -> str:
        return "fault door"

    def show(self, is_img2img: bool) -> Any:
        return scripts.AlwaysVisible


def failing(name: str) -> Any:
    """A hook that fails once when it is asked to."""

    def hook(self: Any, p: Any, *args: Any, **named: Any) -> None:
        if FAULT.get("hook") == name:
            FAULT.clear()
            raise ValueError(f"the door fails in {name}")

    return hook


for name in (
    "before_process", "process", "before_process_batch", "process_batch", "process_before_every_sampling",
    "post_sample", "postprocess_batch", "postprocess_batch_list", "postprocess_image",
    "postprocess_image_after_composite", "postprocess_maskoverlay", "postprocess",
):  # fmt: skip
    setattr(Faults, name, failing(name))


def fail_in_network(params: Any) -> None:
    """Hangs on the network when that is to fail; comes off with the last failure."""
    if "network" in FAULT and not HANDLES:
        block = shared.sd_model.model.diffusion_model.middle_block
        HANDLES.append(block.register_forward_pre_hook(lambda *given: fail()))


def fail() -> None:
    """Counts the network's passes and raises in those that are to fail."""
    if FAULT.get("passes", 0) > 0:
        FAULT["passes"] -= 1
        return
    FAULT["times"] = FAULT.get("times", 1) - 1
    message = FAULT["network"]
    if FAULT["times"] == 0:
        forget()
    raise RuntimeError(message)


def forget() -> None:
    """Nothing is to fail any more."""
    FAULT.clear()
    while HANDLES:
        HANDLES.pop().remove()


def add_routes(_: Any, app: FastAPI) -> None:
    """POST /test-clip/fault says what is to fail next; /test-clip/stop is the page's "stop generating"."""

    def fault(body: dict[str, Any]) -> Any:
        forget()
        FAULT.update(body)
        return {}

    def stop() -> Any:
        shared.state.stop_generating()
        return {}

    app.add_api_route("/test-clip/fault", fault, methods=["POST"])
    app.add_api_route("/test-clip/stop", stop, methods=["POST"])


script_callbacks.on_cfg_denoiser(fail_in_network)
script_callbacks.on_app_started(add_routes)
