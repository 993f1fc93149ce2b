"""Adapters to the WebUI's own objects: requests, options, errors, patches."""
