"""Which edges carry the verdict, run alone beside random ones. Imports neither `units` nor `attribution`."""
