"""What a judge makes of a prompt of the user's own, at one checkpoint. Imports torch."""
