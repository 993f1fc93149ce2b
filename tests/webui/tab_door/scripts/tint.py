"""A small extension for tests: an always-on script with controls of its own, a picture among them."""

from __future__ import annotations

from typing import Any

import gradio as gr
import numpy as np
from modules import scripts
from modules.ui_components import InputAccordion
from PIL import Image


class Tint(scripts.Script):
    """Replaces what was painted by one picture's mean colour, dimmed."""

    def title(self) -> str:
        return "Tint"

    def show(self, is_img2img: bool) -> Any:
        return scripts.AlwaysVisible

    def ui(self, is_img2img: bool) -> list[Any]:
        place = "img2img" if is_img2img else "txt2img"
        with gr.Accordion("Tint", open=True, elem_id=f"{place}_tint"):
            enabled = gr.Checkbox(False, label="Enable tint", elem_id=f"{place}_tint_enabled")
            strength = gr.Slider(0, 1, 0.5, step=0.1, label="Strength", elem_id=f"{place}_tint_strength")
            picture = gr.Image(label="Colour of", type="numpy", elem_id=f"{place}_tint_picture")
        return [enabled, strength, picture]

    def postprocess_image(self, p: Any, pp: Any, enabled: bool, strength: float, picture: Any) -> None:
        if not enabled:
            return
        if isinstance(picture, str):
            from modules.api.api import decode_base64_to_image

            picture = np.asarray(decode_base64_to_image(picture).convert("RGB"))
        colour = tuple(int(value * strength) for value in picture.reshape(-1, 3).mean(0))
        pp.image = Image.new("RGB", pp.image.size, colour)


class Fold(scripts.Script):
    """An accordion that is a switch, as the host's own scripts have it."""

    def title(self) -> str:
        return "Fold"

    def show(self, is_img2img: bool) -> Any:
        return scripts.AlwaysVisible

    def ui(self, is_img2img: bool) -> list[Any]:
        place = "img2img" if is_img2img else "txt2img"
        with InputAccordion(False, label="Fold", elem_id=f"{place}_fold") as enabled:
            depth = gr.Slider(0, 9, 4, step=1, label="Depth", elem_id=f"{place}_fold_depth")
            echo = gr.Slider(0, 9, 4, step=1, label="Echo", elem_id=f"{place}_fold_echo")
        # Sets another control back, as ControlNet's preprocessors do.
        enabled.change(lambda on: 7 if on else 4, [enabled], [echo])
        return [enabled, depth, echo]
