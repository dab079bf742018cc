"""Who calls: the clients file, their keys, their tokens (CDS Hooks 2.0, "Trusting CDS Clients")."""
