"""The server processes, and how requests share the threads of one process."""
