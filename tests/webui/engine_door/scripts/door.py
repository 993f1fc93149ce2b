"""A small extension for tests: lets a test outside ask the WebUI engine for pictures, step by step.

Both ends are the test's own, on one machine; the messages are pickles for that reason.
"""

from __future__ import annotations

import gc
import pickle
import queue
import threading
import uuid
from typing import Any

from fastapi import Body, FastAPI, Response
from modules import script_callbacks
from modules.processing import StableDiffusionProcessing

ENGINES: dict[str, Any] = {}
ASKED: dict[str, Asked] = {}


class Asked:
    """One picture that is being made in a thread of its own."""

    def __init__(self, engine: Any, request: Any) -> None:
        self.events: queue.Queue[tuple[str, Any]] = queue.Queue()
        self.answers: queue.Queue[bool] = queue.Queue()
        threading.Thread(target=self._work, args=(engine, request), daemon=True).start()

    def _work(self, engine: Any, request: Any) -> None:
        from lib_anim.engines.contract.engine import Interrupted
        from lib_anim.engines.contract.requests import ClipRequest
        from lib_anim.errors import FlipbookError

        def on_step(done: int, total: int) -> None:
            self.events.put(("step", (done, total)))
            if not self.answers.get(timeout=60):
                raise Interrupted

        try:
            if isinstance(request, ClipRequest):
                for picture in engine.clip(request, on_step):
                    self.events.put(("picture", picture))
                self.events.put(("end", None))
            else:
                self.events.put(("picture", engine.still(request, on_step)))
        except Interrupted:
            self.events.put(("interrupted", None))
        except FlipbookError as error:
            self.events.put(("refused", error.problems))
        except Exception as error:
            self.events.put(("failed", repr(error)))


def add_routes(_: Any, app: FastAPI) -> None:
    """POST open, ask, next and answer under /test-engine, each with and as a pickle."""

    def opened(message: dict[str, Any]) -> Any:
        from lib_anim.webui.engine.stills import WebuiEngine

        ENGINES[str(message["checkpoint"])] = WebuiEngine(message["checkpoint"])
        return str(message["checkpoint"])

    def asked(message: dict[str, Any]) -> Any:
        number = uuid.uuid4().hex
        ASKED[number] = Asked(ENGINES[message["engine"]], message["request"])
        return number

    def next_event(message: dict[str, Any]) -> Any:
        return ASKED[message["asked"]].events.get(timeout=120)

    def answered(message: dict[str, Any]) -> Any:
        ASKED[message["asked"]].answers.put(message["go_on"])

    def property_of(message: dict[str, Any]) -> Any:
        return getattr(ENGINES[message["engine"]], message["name"])

    def outlived(message: dict[str, Any]) -> Any:
        """How many of the host's requests are still there after three works, nothing being swept up."""
        from lib_anim.engines.contract.requests import ClipRequest

        engine, request = ENGINES[message["engine"]], message["request"]
        gc.collect()
        gc.disable()
        try:
            for _ in range(3):
                if isinstance(request, ClipRequest):
                    for _frame in engine.clip(request):
                        pass
                else:
                    engine.still(request)
            return sum(isinstance(one, StableDiffusionProcessing) for one in gc.get_objects())
        finally:
            gc.enable()

    def upscaled(message: dict[str, Any]) -> Any:
        named = {name: message[name] for name in ("picture", "upscaler", "width", "height")}
        return ENGINES[message["engine"]].upscale(**named)

    for name, function in {
        "open": opened, "ask": asked, "next": next_event, "answer": answered, "property": property_of,
        "outlived": outlived, "upscale": upscaled,
    }.items():  # fmt: skip

        def route(body: bytes = Body(media_type="application/octet-stream"), function: Any = function) -> Any:
            return Response(pickle.dumps(function(pickle.loads(body))), media_type="application/octet-stream")

        app.add_api_route(f"/test-engine/{name}", route, methods=["POST"])


script_callbacks.on_app_started(add_routes)
