"""Experiments beside the pipeline: workspaces, rate-distortion curves."""
