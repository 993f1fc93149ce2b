"""Files in, frames and sound out, and back. Time is rational."""
