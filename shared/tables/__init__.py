"""What a run's results hold, as tidy tables: one observation a row, each column described (`midwatch export`).

Pure: a checkpoint's results in, columns out; draws nothing and writes nothing.
"""
