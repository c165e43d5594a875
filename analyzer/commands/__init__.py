"""What a command does, behind its options: analyse, repair, init, status, doctor. Imports no torch at the top
of a file.
"""
