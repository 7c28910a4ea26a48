"""What repeats: which pages wake people again and again, and what they were."""
