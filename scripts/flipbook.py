"""The WebUI's entry point into Flipbook: exposes the always-on scripts and registers the callbacks.

The host executes this file at start, at "Reload UI" and at "Reload custom script bodies". `sys.path` contains
the extension's folder only during that time, so the package is first imported here; at a reload the package
is already imported and only the registration is repeated.
"""

from __future__ import annotations

from lib_anim.webui.clip.script import AnimateDiffScript
from lib_anim.webui.host.registration import register
from lib_anim.webui.host.step_monitor import StepMonitorScript

__all__ = ["AnimateDiffScript", "StepMonitorScript"]

register()
