"""Figures of one wrongly judged prompt: over the checkpoints, and through the layers."""
