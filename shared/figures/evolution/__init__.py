"""Figures of what changed between checkpoints. Imports the kit alone."""
