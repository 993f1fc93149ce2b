"""The standalone entry points: command line, server, page."""
