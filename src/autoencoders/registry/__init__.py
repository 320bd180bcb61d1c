"""Who is champion, and why."""
