"""The `Services` instance of this WebUI: one per process, kept across reloads."""

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
    """The instance, created at the first call and kept across "Reload UI", so that jobs continue."""
    global _services
    with _lock:
        if _services is None:
            _services = Services(home(), HostEngines(), places(), fetching)
        return _services


def places() -> Places:
    """Files that requests may name: any media files, or only allowed folders where the host is shared."""
    allowed = getattr(shared.cmd_opts, "flipbook_allow", None) or ()
    return Places(open=not is_shared(), roots=(*outputs(), *map(Path, allowed)))


def fetching() -> RemoteFiles:
    """URLs that may be fetched, by the host's own options for pictures in API requests."""
    options = shared.opts
    return RemoteFiles(
        enable=bool(getattr(options, "api_enable_requests", False)),
        forbid_local=bool(getattr(options, "api_forbid_local_requests", True)),
        agent=str(getattr(options, "api_useragent", "") or AGENT),
    )


def is_shared() -> bool:
    """Whether users other than its owner can reach this host."""
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
