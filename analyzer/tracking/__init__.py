"""Numbers of committed results to the trackers that people use, alarms to a webhook: a process of its own, beside
the supervisor or as a command. Imports no torch, and the library of a tracker only where that tracker is asked for.
"""
