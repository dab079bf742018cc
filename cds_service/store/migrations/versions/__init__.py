"""One module for each version; released versions are never edited."""
