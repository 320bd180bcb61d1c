"""The prepared data: what later stages read."""
