"""From the bytes of a page to its text: charset, bounds, engine."""
