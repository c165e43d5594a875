"""What each analysis finds: typed results, their text and badge. Imports no plotly."""
