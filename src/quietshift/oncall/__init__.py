"""Who is on shift, now and at any minute of the next months."""
