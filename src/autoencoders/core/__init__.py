"""What every stage stands on: errors, files, paths, processes, identity. No torch, no values."""
