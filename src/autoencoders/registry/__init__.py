"""The registered models: the champion, and every decision about it."""
