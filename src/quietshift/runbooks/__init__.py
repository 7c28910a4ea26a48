"""What we know how to do: runbooks in plain Markdown, and which of their steps were done for an incident."""
