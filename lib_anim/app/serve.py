"""The server without a WebUI: `python -m lib_anim serve`."""

from __future__ import annotations

import argparse
import ipaddress
import os
import socket
from contextlib import closing
from pathlib import Path
from typing import Any

import platformdirs

from lib_anim.actions.places import Places
from lib_anim.actions.services import Services
from lib_anim.app.engines import StandaloneEngines
from lib_anim.app.flags import add_attention_flag
from lib_anim.errors import FlipbookError, Problem

TOKEN = "FLIPBOOK_TOKEN"
"""Environment variable with the token: unlike a flag, other people on the machine cannot read it."""

LONGEST_GOODBYE = 3
"""Seconds that open event streams get when the server ends."""


def serve(options: argparse.Namespace) -> int:
    """`serve --port P`: the HTTP API until it is interrupted."""
    return _serve(options, with_page=False)


def show(options: argparse.Namespace) -> int:
    """`ui --port P`: the API and the Animation tab as a page, for this machine, until it is interrupted."""
    return _serve(options, with_page=True)


def _serve(options: argparse.Namespace, *, with_page: bool) -> int:
    # A second for what only a server needs.
    import uvicorn

    from lib_anim.api.server import create_app

    token = "" if with_page else options.token or os.environ.get(TOKEN, "")
    local = _is_local(options.host)
    if not local and not token:
        sentence = f'"{options.host}" can be reached from other machines; give a --token, or omit --host'
        raise FlipbookError(Problem(sentence, field="--host", code="server.needs_token"))
    home = options.home or platformdirs.user_data_path("flipbook", appauthor=False)
    places = Places(open=local, roots=tuple(options.allow))
    with closing(_listen(options.host, options.port)) as listening:
        port = listening.getsockname()[1]
        with closing(
            Services(home, StandaloneEngines(options.checkpoints, options.attention), places)
        ) as services:
            hosts = ("127.0.0.1", "localhost", "[::1]") if local else ("*",)
            app = create_app(services, token, hosts)
            if with_page:
                app = _with_page(app, services)
            config = uvicorn.Config(app, log_level="warning", timeout_graceful_shutdown=LONGEST_GOODBYE)
            place = f"http://{options.host}:{port}"
            # At once, also to a file or a program that waits for it.
            print(f"Flipbook listens on {place} (routes: /docs); films go to {services.runs}", flush=True)
            uvicorn.Server(config).run(sockets=[listening])
    return 0


def _with_page(app: Any, services: Services) -> Any:
    try:
        from lib_anim.app.page import add_page
    except ModuleNotFoundError as error:
        if error.name != "gradio":
            raise
        sentence = "the page needs the package gradio, which is not installed: `make ui` installs it"
        raise FlipbookError(Problem(sentence, code="package.missing")) from error
    return add_page(app, services)


def _is_local(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family)
    try:
        if os.name != "nt":
            # There it would let two servers share a port.
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((host, port))
        listening.listen(128)
    except OSError as error:
        listening.close()
        sentence = f"{host}:{port} cannot be listened on ({error.strerror}); choose another --port"
        raise FlipbookError(Problem(sentence, field="--port", code="server.port_in_use")) from error
    return listening


def _add_common_flags(sub: argparse.ArgumentParser) -> None:
    sub.add_argument("--home", type=Path, metavar="DIR", help="folder of the queue, runs and presets")
    sub.add_argument("--checkpoints", type=Path, metavar="DIR", help="folder of .safetensors checkpoints")
    add_attention_flag(sub)


def add_page_flags(sub: argparse.ArgumentParser) -> None:
    """The flags of `ui`: the page has no place for a token, so it stays on this machine."""
    sub.add_argument("--port", type=int, default=7870, metavar="P", help="0 takes a free one (7870)")
    _add_common_flags(sub)
    sub.set_defaults(host="127.0.0.1", token="", allow=[])


def add_flags(sub: argparse.ArgumentParser) -> None:
    """The flags of `serve`."""
    sub.add_argument("--port", type=int, default=7870, metavar="P", help="0 takes a free one (7870)")
    sub.add_argument("--host", default="127.0.0.1", help="another address needs a token (127.0.0.1)")
    sub.add_argument(
        "--token",
        default="",
        help=f"what callers must send as `Authorization: Bearer TOKEN`; also read from {TOKEN}",
    )
    _add_common_flags(sub)
    sub.add_argument(
        "--allow",
        type=Path,
        action="append",
        default=[],
        metavar="DIR",
        help="a folder whose media callers may name when the server can be reached from elsewhere",
    )
