"""A demo EHR in the browser: synthetic patients, draft orders, cards, and the developer's view of the calls."""
