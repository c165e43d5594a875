"""What every unit and edge contributes: graph, references, gradients, ablation. Imports no room that names what
it found.
"""
