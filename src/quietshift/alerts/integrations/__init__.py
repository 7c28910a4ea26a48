"""Whom a receiver tells: one file per kind of `*_configs`, its fields and what is made of a notification."""
