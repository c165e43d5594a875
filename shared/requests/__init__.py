"""Requests to an analyzer: one file each, which CLI and dashboard write and the supervisor answers.

`record.py` is what can be asked, `folder.py` how it is filed and what became of it.
"""
