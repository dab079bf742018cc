"""A folder of rule set documents to a Policy: each part of policy.json has its reader here."""
