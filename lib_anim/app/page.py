"""The Animation tab as a page of its own, on the server without a WebUI."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from starlette.staticfiles import StaticFiles

from lib_anim.actions.services import Services
from lib_anim.ui import gradio_compat as majors
from lib_anim.ui.tab import draw_tab
from lib_anim.ui.toolkit import Toolkit

ROOT = Path(__file__).resolve().parents[2]
SCRIPTS = ROOT / "javascript"
ASSETS = "/flipbook/page"
"""Where the page's scripts are served."""


def add_page(app: Any, services: Services) -> Any:
    """`app` (FastAPI) with the tab at its root; the API's routes must be there already."""
    app.mount(ASSETS, StaticFiles(directory=SCRIPTS))
    head = "".join(f'<script src="{ASSETS}/{path.name}"></script>' for path in sorted(SCRIPTS.glob("*.js")))
    page = draw_tab(Toolkit("tab"), services)
    return majors.mounted(app, page, head, (ROOT / "style.css").read_text("utf-8"), [])
