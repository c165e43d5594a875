"""What the pages know: records and results read from disk, cached. Imports nothing that draws."""
