"""Who owns what: Backstage descriptors, read from the ops directory."""
