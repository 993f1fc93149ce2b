"""One run: its folder, frames, states, parts and films."""
