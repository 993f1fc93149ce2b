"""The host's own controls, for views that are drawn into its page."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any


def refresh_button(component: Any, choices: Callable[[], Sequence[str]], elem_id: str) -> Any:
    """The host's refresh button for a dropdown of files; it looks into the host's folders again."""
    # Not at import: the host makes its widgets after it has loaded the scripts.
    from modules import sd_models, sd_vae, ui_common

    def look() -> None:
        sd_models.list_models()
        sd_vae.refresh_vae_list()

    return ui_common.create_refresh_button(component, look, lambda: {"choices": list(choices())}, elem_id)
