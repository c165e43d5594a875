"""One checkpoint and its probe set: what the analyses of a job share. Imports no method, only the model and
what lies below.
"""
