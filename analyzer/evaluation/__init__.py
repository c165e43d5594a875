"""How good a judge is on labelled prompts (`midwatch evaluate`). Imports no other task and no analysis."""
