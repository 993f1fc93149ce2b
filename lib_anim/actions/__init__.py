"""Actions: what users can do. Every entry point calls these and nothing below."""
