"""The commands of `ae`: each imports what it needs, calls it, and prints."""
