"""HTTP API over the actions."""
