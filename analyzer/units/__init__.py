"""Which attention heads and neurons carry the verdict. Imports neither `circuits` nor `attribution`."""
