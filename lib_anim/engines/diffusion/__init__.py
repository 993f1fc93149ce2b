"""The embedded engine on diffusers' networks."""
