"""Which words push the verdict, and how far that can be trusted. Imports neither `circuits` nor `units`."""
