"""Fixtures that tests and others can use: judges, runs and results, made in seconds. Imports no test."""
