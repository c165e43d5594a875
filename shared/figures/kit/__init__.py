"""What every figure is made with: sheet, style, axes, rows. Imports no other figure."""
