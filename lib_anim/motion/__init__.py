"""AnimateDiff: motion modules and the clip session."""
