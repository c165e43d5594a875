"""Open-ended testing of a judge: prompts whose label is known are put differently until it errs.

`seeds`, `frames` and the rules make the texts, and know no model; `search` and below read the judge.
"""
