"""What crosses the pipe, the key of a result, the lineage of a comparison. Imports no torch and no model."""
