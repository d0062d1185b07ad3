"""Consent: captures of robots.txt and its kin meet the pages of their sites."""
