"""How a judge that answers in words is described: its template, chat template, answers and presets. No torch."""
