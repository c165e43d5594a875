"""Panels that span the checkpoints of a run. Imported by the views of single analyses, never the other way
round.
"""
