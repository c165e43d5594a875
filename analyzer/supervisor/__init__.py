"""Watches runs and schedules what must be computed. Imports no torch, no transformers, no plotly, and no room
that knows a model.
"""
