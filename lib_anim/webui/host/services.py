"""The desk of this WebUI: one per process, whatever is reloaded."""

from __future__ import annotations

import threading
from pathlib import Path

from modules import shared

from lib_anim.actions.places import Places
from lib_anim.actions.remote_files import AGENT, RemoteFiles
from lib_anim.actions.services import Services
from lib_anim.webui.engine.catalog import HostEngines
from lib_anim.webui.host.folders import home, outputs

_lock = threading.Lock()
_services: Services | None = None


def services() -> Services:
    """The desk; made when it is first asked for, and kept over "Reload UI", so that films go on."""
    global _services
    with _lock:
        if _services is None:
            _services = Services(home(), HostEngines(), places(), fetching)
        return _services


def places() -> Places:
    """Which files callers may name: any media, unless others can reach this host."""
    allowed = getattr(shared.cmd_opts, "flipbook_allow", None) or ()
    return Places(open=not is_shared(), roots=(*outputs(), *map(Path, allowed)))


def fetching() -> RemoteFiles:
    """Which addresses are fetched: as the host's API does with pictures."""
    options = shared.opts
    return RemoteFiles(
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
