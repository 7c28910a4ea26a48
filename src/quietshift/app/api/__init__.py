"""The JSON API, /api/v1: one router per room, one way of saying what is wrong, one way of asking who asks."""
