"""Sources of raw data."""
