"""The tab on a server of its own, with an engine whose pace a test sets, in a real browser."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

TAB = "#flipbook_tab_"
"""What the HTML id of everything on the tab begins with."""


class Studio:
    """A desk with the checker engine, served with the tab at `url`."""

    def __init__(self, home: Path) -> None:
        import uvicorn

        from lib_anim.actions.services import Services
        from lib_anim.api.server import create_app
        from lib_anim.app.page import add_page

        self.engines = _paced_engines()
        self.services = Services(home, self.engines)
        app = add_page(create_app(self.services), self.services)
        listening = socket.socket()
        listening.bind(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{listening.getsockname()[1]}/"
        self._server = uvicorn.Server(uvicorn.Config(app, log_level="warning", timeout_graceful_shutdown=1))
        self._thread = threading.Thread(target=self._server.run, kwargs={"sockets": [listening]}, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self.engines.allow(None)
        self._server.should_exit = True
        self._thread.join(20)
        self.services.close()


def _paced_engines() -> Any:
    from lib_anim.app.engines import StandaloneEngines

    class PacedEngines(StandaloneEngines):
        """The checker engine alone; it paints as many pictures as it is allowed, then waits."""

        def __init__(self) -> None:
            super().__init__()
            self._allowed: int | None = None
            self._changed = threading.Condition()
            paint = self._checker.still

            def still(request: Any, on_step: Any = None) -> Any:
                with self._changed:
                    self._changed.wait_for(lambda: self._allowed is None or self._allowed > 0, timeout=120)
                    if self._allowed is not None:
                        self._allowed -= 1
                return paint(request, on_step)

            self._checker.still = still  # type: ignore[method-assign]

        def names(self) -> Sequence[str]:
            return ["checker"]

        def allow(self, pictures: int | None) -> None:
            """Paint so many pictures more, or all with None."""
            with self._changed:
                self._allowed = pictures
                self._changed.notify_all()

    return PacedEngines()


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    """One server for the tests of a file; its queue is what the tests before have left."""
    for package, needed in (("gradio", "views"), ("torch", "engines")):
        pytest.importorskip(package, reason=f"needs packages for {needed}: make test-tab")
    studio = Studio(tmp_path_factory.mktemp("desk"))
    yield studio
    studio.close()


@pytest.fixture
def open_tab(studio: Studio, page: Any) -> Iterator[Callable[[], Any]]:
    """Opens the tab, in the test's page, and waits until its forms show what the desk has kept.

    A script of the page that fails fails the test.
    """
    failures: list[str] = []
    page.on("pageerror", lambda error: failures.append(f"{error.message}\n{error.stack}"))

    def open_it() -> Any:
        page.set_default_timeout(60_000)
        page.goto(studio.url + "?__theme=light")
        page.wait_for_function("window.flipbook && flipbook.data && flipbook.polled")
        page.wait_for_function("Object.values(flipbook.forms).every((form) => form.estimate !== undefined)")
        return page

    yield open_it
    assert failures == []


@pytest.fixture(autouse=True)
def free_pace(request: pytest.FixtureRequest) -> Iterator[None]:
    """Every test begins and ends with an engine that does not wait, and an empty queue."""
    yield
    if "studio" not in request.fixturenames:
        return
    studio = request.getfixturevalue("studio")
    for job in studio.services.jobs.all(("queued", "running")):
        studio.services.jobs.cancel(job.id)
    studio.engines.allow(None)
    for job in studio.services.jobs.all(("queued", "running")):
        for _ in studio.services.jobs.follow(job.id):
            pass
    for kind in studio.services.queries.kinds():
        studio.services.forms.keep(kind["kind"], {})


class Tab:
    """What a person does on the tab, in words of the person."""

    def __init__(self, page: Any) -> None:
        self.page = page

    def field(self, name: str, kind: str = "keyframed") -> Any:
        return self.page.locator(f"{TAB}{kind}_{name}").locator("textarea, input:not([type=range])").first

    def write(self, kind: str = "keyframed", **values: Any) -> None:
        for name, value in values.items():
            self.field(name, kind).fill(str(value))

    def generate(self, kind: str = "keyframed") -> None:
        self.page.locator(f"{TAB}{kind}_generate").click()

    def render(self, kind: str = "keyframed") -> str:
        """Generate, and the id of the job once it is done and stands on the stage."""
        before = self.page.evaluate("flipbook.newest || null")
        self.generate(kind)
        self.page.wait_for_function("(id) => flipbook.newest && flipbook.newest !== id", arg=before)
        id = str(self.page.evaluate("flipbook.newest"))
        self.page.locator(f"{TAB}stage[data-status=done][data-job='{id}']").wait_for()
        return id

    def problem(self, name: str, kind: str = "keyframed") -> Any:
        return self.page.locator(f"{TAB}{kind}_{name}_problem")

    def stage(self, status: str, timeout: float = 60_000) -> Any:
        """The stage, once it shows a job of this status."""
        stage = self.page.locator(f"{TAB}stage[data-status={status}]")
        stage.wait_for(timeout=timeout)
        return stage

    def film(self) -> dict[str, Any]:
        """The player's facts, once it can play."""
        video = self.page.locator(f"{TAB}stage video")
        video.wait_for(timeout=60_000)
        self.page.wait_for_function("(v) => v.readyState >= 2", arg=video.element_handle(), timeout=60_000)
        return video.evaluate(
            "(v) => ({duration: v.duration, width: v.videoWidth, height: v.videoHeight, error: v.error})"
        )


SMALL = {"frames": 6, "fps": 6, "width": 64, "height": 64}


@pytest.fixture
def tab(open_tab: Callable[[], Any]) -> Tab:
    """The tab, opened, with a small film in the form."""
    tab = Tab(open_tab())
    tab.write(**SMALL)
    return tab
