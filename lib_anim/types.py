"""Array types and word lists that every package may use. Each list of allowed words exists only here."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.float32]
"""float32 RGB (H, W, 3) in [0, 1]. Never rounded to 8 bits between frames."""

Mask = NDArray[np.float32]
"""float32 (H, W) in [0, 1]; 1 is repainted, 0 is kept."""

Flow = NDArray[np.float32]
"""float32 (H, W, 2): (dx, dy) in pixels. F_{a→b} is defined on a's grid: pixel p of a is at p + F[p] in b."""

Fill = Literal["fill", "original", "latent noise", "latent nothing"]
"""Initial content of the masked area in inpainting, in the WebUI's words."""

Fit = Literal["crop", "stretch", "fill"]
"""Resizing a picture of another aspect ratio to the frame: crop, stretch, or pad with its edges."""

Border = Literal["replicate", "wrap", "reflect"]
"""Values outside a picture: its edge pixel, its opposite side, or its mirror image (edge pixel included)."""

NoiseType = Literal["uniform", "perlin"]
"""Noise added between frames: white everywhere, or white multiplied by Perlin noise."""

ColorSpace = Literal["RGB", "HSV", "LAB"]
"""Colour space of histogram matching."""

Mixing = Literal["lerp", "slerp"]
"""Interpolation of two tensors: linear, or spherical."""

PromptBlend = Literal["hold", "AND", "lerp", "slerp"]
"""Between two prompt keyframes: hold the first, weight both with AND, or interpolate their conditioning."""

PromptInterpolation = Literal["slerp", "lerp", "hold"]
"""Prompt travel of clips: interpolate the conditioning, or hold the previous prompt."""

UnitResizeMode = Literal["Just Resize", "Crop and Resize", "Resize and Fill"]
"""How a ControlNet unit's picture of another aspect ratio fills the frame, in sd-webui-controlnet's words."""

ControlMode = Literal["Balanced", "My prompt is more important", "ControlNet is more important"]
"""sd-webui-controlnet's control modes."""

ClosedLoop = Literal["N", "R-P", "R+P", "A"]
"""sd-webui-animatediff's closed loop modes."""

ContextSchedule = Literal["uniform", "standard static", "standard uniform", "batched", "views"]
"""Placement of context windows in a clip longer than the context."""

WindowFusion = Literal["pyramid", "flat", "overlap-linear", "last"]
"""Weights of overlapping context windows."""

ClipNoise = Literal["per frame", "shared", "repeated", "FreeNoise"]
"""Initial noise of a clip's frames."""

FreeInitFilter = Literal["butterworth", "gaussian", "box", "ideal"]
"""Low-pass filter of FreeInit."""

AttentionBackend = Literal["sdpa", "xformers"]
"""Kernel of attention layers: PyTorch's scaled dot-product attention, or xformers' memory-efficient one."""
