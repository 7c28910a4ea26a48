"""How a human is reached: escalation, contact ladder, proof of page."""
