"""What surrounds every page: the bar, the reader's choice, live updates, login. Imports no screen."""
