"""Figures of neurons and heads. Imports the kit alone."""
