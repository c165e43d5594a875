"""A checkpoint against earlier ones, from committed results. Imports no analysis."""
