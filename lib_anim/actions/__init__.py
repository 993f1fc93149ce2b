"""What a person can ask for. Every door calls these and nothing below."""
