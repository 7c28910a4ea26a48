"""What calendar programs read: no session, the link is the key."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path
from starlette.responses import Response

from quietshift.app.api.security import AppDep
from quietshift.oncall import feeds

router = APIRouter(include_in_schema=False)


@router.get("/feeds/{token}.ics")
def feed(app: AppDep, token: Annotated[str, Path(max_length=100)]) -> Response:
    with app.db.read() as tx:
        found = feeds.calendar(tx, token, app.clock.now(), ops=app.ops.current)
    return Response(found, media_type="text/calendar; charset=utf-8")
