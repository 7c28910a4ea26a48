"""What we do about it: an incident's life from the first alert to rest, its timeline, and why somebody was paged."""
