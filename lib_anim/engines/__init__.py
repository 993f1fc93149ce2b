"""Who paints: the Engine contract and the engines that need no WebUI."""
