"""The settings of every kind of film, by the kind's name."""

from __future__ import annotations

from collections.abc import Mapping

from lib_anim.kinds.assemble.settings import Assemble
from lib_anim.kinds.clip.settings import Clip
from lib_anim.kinds.keyframed.settings import Keyframed
from lib_anim.kinds.restyle.settings import Restyle
from lib_anim.settings.base import Settings

SETTINGS: Mapping[str, type[Settings]] = {cls.kind: cls for cls in (Keyframed, Clip, Restyle, Assemble)}
