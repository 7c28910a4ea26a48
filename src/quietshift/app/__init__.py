"""Where the rooms are joined: wire, server, command line, pages, demo."""
