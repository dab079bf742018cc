"""A small health record in the browser: synthetic patients, draft orders, cards, and what an engineer sees of them."""
