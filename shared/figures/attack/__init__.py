"""What open-ended testing found, as pictures."""
