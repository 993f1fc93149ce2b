"""The record of assembly: existing frames become a film."""

from __future__ import annotations

from lib_anim.kinds.assemble.settings import Assemble
from lib_anim.kinds.base import Kind

ASSEMBLE = Kind(
    name="assemble",
    title="Assembly",
    settings=Assemble,
    written_files=("sheet", "poster"),
    film_input="source",
)
