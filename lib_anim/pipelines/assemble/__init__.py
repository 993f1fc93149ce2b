"""Assembly: frames of a source in a new order and time."""
