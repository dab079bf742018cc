"""The service under what must not stop it: each module is a scenario at length, run by `make torture`."""
