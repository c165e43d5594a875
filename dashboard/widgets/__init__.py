"""Parts of a page that are drawn from what was read. Imports neither chrome nor a screen."""
