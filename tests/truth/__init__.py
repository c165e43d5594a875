"""Judges whose truth is known, put through the whole suite: do the pages say it, and nothing else?"""
