"""The ids of clients outside the clients file: callers without a token, and the demo calls of the workbench."""

# No entry of the clients file may have these ids.
OPEN, WORKBENCH = "open", "workbench"
