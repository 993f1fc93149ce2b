"""Samplers, noise and sigma schedules."""
