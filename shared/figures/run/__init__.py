"""Figures over a whole run. Imports the kit alone."""
