"""The Animation tab."""

from __future__ import annotations

import gradio as gr

from lib_anim import __version__
from lib_anim.ui.toolkit import Toolkit

TITLE = "Animation"

TEXT = """\
## Flipbook {version}

**No film can be made on this tab yet.** Nothing here changes how the other tabs make pictures.

Coming on this tab:

- **keyframed** films: a camera that moves, prompts and settings that change from keyframe to keyframe
- **restyle**: a video painted anew, frame by frame
- **propagate**: a few painted frames carried over a whole video
- **Stable Video Diffusion**: a picture that starts to move
- **assemble**: any folder of frames, or any video, as a film with sound

Flipbook's command line makes keyframed films today; the README in the extension's folder says how.

Flipbook will keep its films and presets in `{home}`.
"""


def draw_tab(toolkit: Toolkit, home: str) -> gr.Blocks:
    """The tab's page. `home` is the folder in which Flipbook keeps what it makes, shown as given."""
    with gr.Blocks(analytics_enabled=False) as page:
        gr.Markdown(TEXT.format(version=__version__, home=home), elem_id=toolkit.elem_id("text"))
    return page
