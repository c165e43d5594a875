"""Figures of a prompt that somebody asked: its score over the run, its words deleted, what heads attend to."""
