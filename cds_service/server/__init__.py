"""The processes that serve it, and who waits for whom in one."""
