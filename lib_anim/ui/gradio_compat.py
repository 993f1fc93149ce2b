"""Differences between gradio 3 (3.41.2 in AUTOMATIC1111 v1.10.1) and current gradio."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import gradio as gr

MAJOR = int(str(gr.__version__).split(".")[0])


def in_browser(script: str) -> dict[str, Any]:
    """Keyword by which an event runs JavaScript in the page; on the server only what `fn` gives."""
    return {"_js" if MAJOR < 4 else "js": script}


def quiet() -> dict[str, Any]:
    """Keywords of an event that is the page's own business: no queue, no spinner, not in Gradio's API."""
    hidden: dict[str, Any] = {"api_name": False} if MAJOR < 6 else {"api_visibility": "private"}
    return {"queue": False, "show_progress": "hidden", **hidden}


def changed(**properties: Any) -> Any:
    """What an event's function returns to change properties of a component."""
    return gr.update(**properties)


def names_dropdown(choices: Sequence[str], value: Sequence[str], **options: Any) -> gr.Dropdown:
    """Several of some names. Current Gradio refuses others itself, where the settings say it better."""
    return gr.Dropdown(
        choices=list(choices), value=list(value), multiselect=True, allow_custom_value=MAJOR >= 4, **options
    )


def blocks(title: str, **options: Any) -> gr.Blocks:
    """A page without telemetry."""
    return gr.Blocks(title=title, analytics_enabled=False, **options)


def mounted(app: Any, page: gr.Blocks, head: str, css: str, allowed: list[Path]) -> Any:
    """`app` with the page at its root. `head` is HTML for the page's head, `css` its style."""
    paths = [str(path) for path in allowed]
    if MAJOR >= 6:
        return gr.mount_gradio_app(app, page, path="/", head=head, css=css, allowed_paths=paths)
    page.css = css
    page.allowed_paths = paths
    # Gradio 3 has no place for HTML in the head: the page's own script puts it there.
    with page:
        page.load(None, None, None, **in_browser(_HEAD % head.replace("`", "\\`")))
    return gr.mount_gradio_app(app, page, path="/")


_HEAD = """() => {
    const found = document.createRange().createContextualFragment(`%s`);
    for (const script of found.querySelectorAll("script")) script.async = false;
    document.head.append(found);
}"""
