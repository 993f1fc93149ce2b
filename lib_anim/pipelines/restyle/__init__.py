"""mov2mov-style restyling: every frame of a video through img2img."""
