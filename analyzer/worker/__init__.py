"""One job in its own process: loads the judge, runs the analyses, publishes the results. Imports nothing of the
supervisor.
"""
