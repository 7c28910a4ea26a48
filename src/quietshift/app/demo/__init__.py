"""The demo: a small real shop breaks, people are paged on real channels, and it is put to rest."""
