"""What a page shows, top to bottom. Imports what stands below: chrome, widgets, reading."""
