"""A demo EHR in the browser: synthetic patients, draft orders, cards, and what a developer sees of them."""
