"""A loaded judge: families, loading, batches, scores, hooked and partial passes. Imports nothing of the probe
set's analysis.
"""
