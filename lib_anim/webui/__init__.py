"""The AUTOMATIC1111 adapter: the only room that imports the host."""
