"""Ways to divide a text into words, and what is known of each word."""
