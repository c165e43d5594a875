"""One run as a paper to hand on: `midwatch report`. Its sentences and pictures are those of the views."""
