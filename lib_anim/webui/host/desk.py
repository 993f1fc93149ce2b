"""The desk of this WebUI: one per process, whatever is reloaded."""

from __future__ import annotations

import threading
from pathlib import Path

from modules import shared

from lib_anim.actions.desk import Desk
from lib_anim.actions.places import Places
from lib_anim.actions.remote_files import AGENT, Fetching
from lib_anim.webui.engine.catalog import HostEngines
from lib_anim.webui.host.folders import home, outputs

_lock = threading.Lock()
_desk: Desk | None = None


def desk() -> Desk:
    """The desk; made when it is first asked for, and kept over "Reload UI", so that films go on."""
    global _desk
    with _lock:
        if _desk is None:
            _desk = Desk(home(), HostEngines(), places(), fetching)
        return _desk


def places() -> Places:
    """Which files callers may name: any media, unless others can reach this host."""
    allowed = getattr(shared.cmd_opts, "flipbook_allow", None) or ()
    return Places(open=not is_shared(), roots=(*outputs(), *map(Path, allowed)))


def fetching() -> Fetching:
    """Which addresses are fetched: as the host's API does with pictures."""
    options = shared.opts
    return Fetching(
        enable=bool(getattr(options, "api_enable_requests", False)),
        forbid_local=bool(getattr(options, "api_forbid_local_requests", True)),
        agent=str(getattr(options, "api_useragent", "") or AGENT),
    )


def is_shared() -> bool:
    """Whether people other than its owner can reach this host."""
    options = shared.cmd_opts
    flags = ("share", "listen", "ngrok", "hide_ui_dir_config")
    return any(getattr(options, flag, None) for flag in flags) or getattr(
        options, "server_name", None
    ) not in (
        None,
        "",
        "127.0.0.1",
        "localhost",
        "::1",
    )
