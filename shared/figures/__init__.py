"""How results look: Plotly figures as pure functions of typed results. Registered from `shared/views`."""
