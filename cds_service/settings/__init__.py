"""What a deployment can set, and where its data is."""
