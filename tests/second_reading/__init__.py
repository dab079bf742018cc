"""The criteria of a rule set, read a second time: from docs/how-a-chart-is-read.md and the rule set's files alone.

Nothing of cds_service is imported. Plain dicts and functions, in the order of the page.
"""
