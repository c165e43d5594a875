"""`training_visualizations/`: the HTML pages and metrics that people open from disk. Nothing in `shared`
imports it.
"""
