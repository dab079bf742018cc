"""The benchmark: the service beside its floor, the same server parsing the same body, with a constant answer."""
