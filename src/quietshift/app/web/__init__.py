"""The pages: routes that read a room's values, view models that lay them out, templates that draw them."""
