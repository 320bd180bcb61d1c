"""Readers of files: tables, arrays, images."""
