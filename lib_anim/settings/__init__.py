"""What the user said, checked and immutable: one definition per feature, and its codecs."""
