"""Charts as ten systems write them, and a gate on how much of what is charted reaches a card."""
