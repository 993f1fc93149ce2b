"""What a host lends to the views that are drawn into its page."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Toolkit:
    """The place in which a view is drawn."""

    place: str
    """Where on the page: `txt2img`, `img2img` or `tab`. One view may stand in several places of one page."""

    def elem_id(self, name: str) -> str:
        """The HTML id of the view's element `name`, different in every place."""
        return f"flipbook_{self.place}_{name}"
