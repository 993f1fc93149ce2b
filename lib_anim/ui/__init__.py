"""Gradio views of the actions."""
