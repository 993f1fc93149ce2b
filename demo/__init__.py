"""The demo checkpoint: drawn scenes, captions, training, conversion. Nothing in `lib_anim` imports it."""
