"""Parts of policy.json that stand beside the criteria."""
