"""How an attack looks to its reader: its words, its tables and its figures."""
