"""The formats in which alerts are reported, one file each."""
