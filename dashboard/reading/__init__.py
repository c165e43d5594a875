"""What the pages know, cached: records and results read from disk, and the views' panels of them. Draws nothing."""
