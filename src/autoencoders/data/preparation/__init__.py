"""Preparation: from raw rows to prepared splits."""
