"""Kinds of facts, a file each as in cds_service/facts/kinds."""
