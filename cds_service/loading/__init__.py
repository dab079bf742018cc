"""A policy folder's documents made into a Policy, part by part; every fault is noted with file and place."""
