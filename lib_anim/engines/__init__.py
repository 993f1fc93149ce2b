"""The engine contract and the engines that run without the WebUI."""
