"""Figures of one checkpoint over many prompts. What spans checkpoints is in `over_run`."""
