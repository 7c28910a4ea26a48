"""Start is a feature: what is imported before the door listens."""

import subprocess
import sys

PROBE = """
import sys
from pathlib import Path
import quietshift.app.server
from quietshift.alerts.api import AlertsApi
from quietshift.app.alertmanager import _load
loaded, problems = _load(Path(sys.argv[1]))
assert not problems.found, problems.found
print(" ".join(sorted({"sqlalchemy", "psycopg", "httpx2", "fastapi", "jinja2", "alembic"} & sys.modules.keys())))
"""


def test_neither_database_nor_web_stack_nor_http_client_is_loaded_with_the_configuration(tmp_path):
    config = tmp_path / "alertmanager.yml"
    config.write_text("route: {receiver: a}\nreceivers: [{name: a, webhook_configs: [{url: 'http://127.0.0.1:9/'}]}]\n")
    done = subprocess.run([sys.executable, "-c", PROBE, config], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == []
