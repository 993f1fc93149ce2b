"""Which settings have a control on the tab, and their tooltips."""

from __future__ import annotations

from lib_anim.settings.base import Settings, specs
from lib_anim.settings.fields import DIALECTS, Choice, Spec

DIALECT = Choice(
    label="Reading",
    help="How schedules and prompts are read: Flipbook's own way, or a Deforum file's with its tolerances.",
    options=DIALECTS,
)


def fields_of(cls: type[Settings]) -> dict[str, Spec]:
    """Name → spec of everything that has a control."""
    return {**specs(cls), "dialect": DIALECT}


def words_of(spec: Spec) -> str:
    """The tooltip: what the setting does, what it takes, its unit."""
    unit = f" Unit: {spec.unit}." if spec.unit else ""
    return f"{spec.help} Takes {spec.allowed()}.{unit}"
