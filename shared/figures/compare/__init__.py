"""The same figure of two checkpoints on one scale, and the difference."""
