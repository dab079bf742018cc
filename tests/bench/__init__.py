"""The benchmark: the service beside its floor, the same server that parses the same body and answers with a constant."""
