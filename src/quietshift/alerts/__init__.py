"""What was reported: intake wires, routing, grouping, inhibition, silences."""
