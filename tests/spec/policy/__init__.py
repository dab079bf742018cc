"""Parts of policy.json in addition to the criteria."""
