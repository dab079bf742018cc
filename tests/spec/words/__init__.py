"""Words of tests, a file each as in cds_service/facts/words."""
