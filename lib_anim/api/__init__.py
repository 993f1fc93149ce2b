"""HTTP views of the actions."""
