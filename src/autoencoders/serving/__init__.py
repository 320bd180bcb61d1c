"""A model's answers."""
