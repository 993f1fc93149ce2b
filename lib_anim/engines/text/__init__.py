"""Prompt parsing, tokenisation and text conditioning."""
