"""LoRA files and related formats."""
