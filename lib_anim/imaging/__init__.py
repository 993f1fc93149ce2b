"""Pictures in, pictures out: warps, colour, noise. No files, no networks."""
