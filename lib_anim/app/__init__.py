"""The way in without the WebUI: the command line."""
