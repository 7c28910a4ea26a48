"""Whatever fits the description, and whatever does not, is answered as the description says: never with a 5xx.

Bounded: so many examples for each operation and kind of data, the same ones each time.
"""

from collections.abc import Callable

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, Verbosity, given, settings
from schemathesis import GenerationMode
from schemathesis.checks import (
    content_type_conformance,
    negative_data_rejection,
    not_a_server_error,
    response_schema_conformance,
    status_code_conformance,
)

from tests.support.web import ADMIN_TOKEN, Site

EXAMPLES = {"sqlite": 16, "postgresql": 6}  # for each operation and kind of data; they differ in what texts and numbers they take
CHECKS = [
    not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance, negative_data_rejection,
]  # fmt: skip
PHASES = (Phase.explicit, Phase.generate)  # what is found is small enough to read, and shrinking takes minutes


def test_every_operation_keeps_to_its_description(
    make_site: Callable[..., Site], database_url: str, subtests: pytest.Subtests
) -> None:
    site = make_site(database_url)
    for n in range(3):
        site.alert(f"Alert{n}")
    site.signed_in("ana", "admin")
    site.program("read")
    schema = schemathesis.openapi.from_asgi("/api/v1/openapi.json", site.web)
    operations = [result.ok() for result in schema.get_all_operations()]
    assert len(operations) > 25
    for operation in operations:
        for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
            with subtests.test(f"{operation.label}, {mode.value}"):
                _fuzz(operation, mode, EXAMPLES[site.app.db.dialect])


def _fuzz(operation: schemathesis.APIOperation, mode: GenerationMode, examples: int) -> None:
    @settings(
        max_examples=examples, deadline=None, derandomize=True, database=None, phases=PHASES, verbosity=Verbosity.quiet,
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(case=operation.as_strategy(generation_mode=mode))
    def holds(case: schemathesis.Case) -> None:
        case.call_and_validate(headers={"Authorization": f"Bearer {ADMIN_TOKEN}"}, checks=CHECKS)

    holds()
