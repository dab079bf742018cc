"""The service asks itself what it knows the answer to."""
