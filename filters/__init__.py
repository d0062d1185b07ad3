"""Plain functions from text or bytes to signals: no Beam, no pipeline, no model (CONTRACTS: layers)."""
