"""Data: where it comes from, how it is split and scaled, and how a stage reads it."""
