"""A trained model: raw rows in, raw rows out."""
