"""The settings of every kind of film, by the kind's name."""

from __future__ import annotations

from collections.abc import Mapping

from lib_anim.settings.assemble import Assemble
from lib_anim.settings.base import Settings
from lib_anim.settings.clip import Clip
from lib_anim.settings.keyframed import Keyframed
from lib_anim.settings.restyle import Restyle

SETTINGS: Mapping[str, type[Settings]] = {cls.kind: cls for cls in (Keyframed, Clip, Restyle, Assemble)}
