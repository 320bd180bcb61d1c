"""Beside the pipeline: workspaces, rate-distortion curves."""
