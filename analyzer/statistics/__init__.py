"""Arrays in, numbers out: numpy and scipy alone. Imports no other room of the analyzer and nothing of a judge."""
