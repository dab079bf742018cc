"""Authentication of callers: the clients file, keys and tokens (CDS Hooks 2.0, "Trusting CDS Clients")."""
