"""A message in, the provider's answer out: mail, webhook, ntfy. Serves receivers and pages alike."""
