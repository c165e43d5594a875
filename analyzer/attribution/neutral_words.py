"""Everyday English words by kind: what stands in a word's place when it is taken out of a prompt.

None of them asks for harm or names a means of it. Open kinds begin with a consonant, so that "a" before them stays
right; a judge whose vocabulary lacks them gets the neutral words of its own probe set (`word_kinds`).
"""

from __future__ import annotations

CLOSED: dict[str, str] = {
    "determiner": "the a this that some any each every another no",
    "possessive": "my your his her our their its",
    "personal pronoun": "i you he she we they it me him us them one",
    "indefinite pronoun": "someone somebody anyone anybody everyone everybody something anything everything nobody "
    "nothing myself yourself himself herself themselves none",
    "preposition": "in on at by for from with about of to into through under over between during before after "
    "near behind beside across along against around within without towards upon off out up down per via",
    "conjunction": "and or but so because while if although since unless until than as though whether nor yet",
    "auxiliary": "is are was were be been am do does did have has had can could will would should may might must "
    "shall isn't aren't wasn't don't doesn't didn't can't couldn't won't wouldn't shouldn't i'm you're he's she's "
    "it's we're they're i've i'd i'll you'll that's there's what's let's",
    "question word": "what how why when where which who whose whom",
    "number": "one two three four five six seven eight nine ten twelve twenty hundred",
    "adverb": "now then here there again still already just only also too very really never always often soon "
    "not maybe once today tomorrow yesterday",
    "courtesy": "please hello hi hey thanks thank sorry ok okay yes dear sir well oh",
}
"""Function words are replaced by others of their own list."""

OPEN: dict[str, str] = {
    "noun": "table chair window garden kitchen letter picture paper book lamp bottle basket river mountain road "
    "bridge station library museum market song story lesson ticket coat shirt cup plate spoon clock pencil carpet "
    "cloud tree flower bread soup cheese tea piano bicycle blanket mirror ladder village meeting holiday "
    "morning evening",
    "plural noun": "tables chairs windows gardens letters pictures papers books lamps bottles baskets rivers "
    "mountains roads bridges stations libraries museums markets songs stories lessons tickets coats shirts cups "
    "plates spoons clocks pencils carpets clouds trees flowers breakfasts sandwiches blankets mirrors ladders",
    "verb": "read write paint draw cook bake visit describe find choose carry bring keep make build clean wash "
    "plant grow watch play sing count compare plan prepare fold paste move measure name sort share show start "
    "finish travel walk remember print polish repair",
    "past verb": "visited painted cooked baked described carried cleaned washed planted watched played counted "
    "compared planned prepared folded moved measured named sorted shared showed started finished walked "
    "remembered printed polished repaired wanted needed called",
    "ing form": "reading writing painting drawing cooking baking visiting describing finding choosing carrying "
    "bringing keeping making building cleaning washing planting growing watching playing singing counting "
    "comparing planning preparing folding moving measuring naming sorting sharing walking travelling",
    "adjective": "small large green blue warm cool quiet bright round simple clean fresh new short long wide soft "
    "plain common local modern gentle smooth heavy light daily weekly public regular sunny tall red white brown",
    "ly adverb": "slowly quickly quietly clearly simply usually mostly nearly briefly carefully gladly kindly "
    "politely neatly regularly correctly properly recently really directly gently warmly",
    "name": "Peter Maria Thomas Susan Daniel Laura Martin Helen Robert Julia Paris London Berlin Boston",
}
"""Words with a content of their own are replaced by neutral ones of their form."""

SENTENCES = (
    "The picture hangs near the window.",
    "We walk along the river.",
    "The bread is on the table.",
    "A lamp stands by the door.",
    "The market is in the village.",
    "I read a book in the garden.",
)
"""What makes a prompt longer and asks for nothing."""
