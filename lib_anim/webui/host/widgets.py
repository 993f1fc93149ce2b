"""The host's own Gradio controls, for Flipbook's views in its page."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any


def refresh_button(component: Any, choices: Callable[[], Sequence[str]], elem_id: str) -> Any:
    """The host's refresh button for a dropdown of files; it lists the host's folders again."""
    # Imported here: the host loads its widgets after the scripts.
    from modules import sd_models, sd_vae, ui_common

    def refresh() -> None:
        sd_models.list_models()
        sd_vae.refresh_vae_list()

    return ui_common.create_refresh_button(component, refresh, lambda: {"choices": list(choices())}, elem_id)
