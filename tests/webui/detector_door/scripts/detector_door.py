"""A small extension for tests: stands for the package `mediapipe`, whose detector always finds one face.

ADetailer's own detectors are weights from the network. What is tested with this is what ADetailer does with
a box, not that a face is found.
"""

from __future__ import annotations

import sys
import types
from typing import Any

from modules import script_callbacks

BOX = types.SimpleNamespace(xmin=0.25, ymin=0.25, width=0.5, height=0.5)
"""Where the face is, as parts of the picture."""


class FaceDetection:
    """Finds one face in the middle of everything."""

    def __init__(self, **_: Any) -> None:
        """Takes mediapipe's arguments."""

    def __enter__(self) -> FaceDetection:
        return self

    def __exit__(self, *_: Any) -> None:
        """Nothing to close."""

    def process(self, _: Any) -> Any:
        """The face."""
        found = types.SimpleNamespace(
            score=[1.0], location_data=types.SimpleNamespace(relative_bounding_box=BOX)
        )
        return types.SimpleNamespace(detections=[found])


mediapipe: Any = types.ModuleType("mediapipe")
mediapipe.solutions = types.SimpleNamespace(
    face_detection=types.SimpleNamespace(FaceDetection=FaceDetection),
    drawing_utils=types.SimpleNamespace(draw_detection=lambda *_: None),
)


def appear(*_: Any) -> None:
    """Be there for ADetailer, which asks for each picture; ControlNet asks at its start, and for more."""
    sys.modules["mediapipe"] = mediapipe


script_callbacks.on_app_started(appear)
