"""Foundations of every stage: errors, files, paths, processes, identity. No torch, no values."""
