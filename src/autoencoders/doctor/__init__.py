"""`ae doctor`: what may be wrong with a repository, its stores and its machine, a check a line, and how to mend it."""
