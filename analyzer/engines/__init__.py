"""Who computes a job: the interface, and worker processes on this machine. Imports no torch and no room that
knows a model.
"""
