"""Calls that the service itself makes: only where the entry of a client allows, and never past the deadline."""
