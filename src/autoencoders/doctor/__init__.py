"""`ae doctor`: checks of a repository, its stores and its machine, and how to mend them."""
