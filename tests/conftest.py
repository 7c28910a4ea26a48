"""Every test may ask for these: see tests/support/."""

pytest_plugins = [
    "tests.support.needs",
    "tests.support.ports",
    "tests.support.quiet",
    "tests.support.postgres",
    "tests.support.mail",
    "tests.support.webhook",
    "tests.support.tls",
    "tests.support.interceptor",
    "tests.support.browser",
    "tests.support.server",
    "tests.support.acceptance",
    "tests.support.web",
    "tests.support.prometheus",
]
