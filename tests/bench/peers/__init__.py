"""Services of other makers that the benchmark measures beside ours; each decides the criteria of ``criteria.json``."""
