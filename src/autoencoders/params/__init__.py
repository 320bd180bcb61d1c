"""params.yaml, from text to resolved values. No torch."""
