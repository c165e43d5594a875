"""Figures of circuits: the graph, its layout and words, faithfulness over sizes. Imports the kit alone."""
