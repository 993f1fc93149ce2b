"""The demo film, its gallery, and the demo checkpoint (trained by `training`)."""
