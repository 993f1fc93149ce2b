"""The WebUI's way into Flipbook: shows it the always-on script and registers the rest.

The host runs this file at start, at "Reload UI" and at "Reload custom script bodies". Its `sys.path` holds
the extension's folder only while this file runs, so the package is first imported here; at a reload the
package is still in memory and only the registration is repeated.
"""

from __future__ import annotations

from lib_anim.webui.clip.script import AnimateDiffScript
from lib_anim.webui.host.registration import register
from lib_anim.webui.host.step_monitor import StepMonitorScript

__all__ = ["AnimateDiffScript", "StepMonitorScript"]

register()
