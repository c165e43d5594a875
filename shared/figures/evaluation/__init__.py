"""Figures of an evaluation: verdicts beside baselines, and the trigger-word pack."""
