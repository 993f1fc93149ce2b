"""Gradio views over the actions."""
