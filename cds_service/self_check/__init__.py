"""Silent failure is found: patients whose answer is known, run through the service itself, and what it stands on."""
