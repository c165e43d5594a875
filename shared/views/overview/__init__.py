"""Which checkpoint of a run: what is known of each, the best, the one to ship, in words, in a table, in curves."""
