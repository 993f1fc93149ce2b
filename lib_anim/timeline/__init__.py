"""The timeline language: schedules, prompts and mask expressions, evaluated to values per frame."""
