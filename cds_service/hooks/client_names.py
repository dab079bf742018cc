"""The clients that no clients file lists: callers without a token, and the demo calls of the workbench."""

# No entry of the clients file may take these ids.
OPEN, WORKBENCH = "open", "workbench"
