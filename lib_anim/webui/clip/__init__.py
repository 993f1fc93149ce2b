"""The AnimateDiff always-on script."""
