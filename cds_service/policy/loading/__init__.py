"""Turns a folder of rule set documents into a Policy; each part of policy.json has its own reader here."""
