"""The ground: clock, ids, errors, configuration, database, journal, timers, outbox. Knows no capability."""
