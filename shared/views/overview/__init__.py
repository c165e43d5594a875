"""Which checkpoint of a run: what is known of each, the best, the one to ship, in words, as a table and as curves."""
