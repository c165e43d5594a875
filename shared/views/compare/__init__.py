"""One checkpoint against another, of the same run or of two: facts and sentences first, panels made of them.

Of the two, *here* is the one that is shown and *there* the one that it is compared with. Imported by nobody but
pages and commands.
"""
