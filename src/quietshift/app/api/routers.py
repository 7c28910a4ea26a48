"""Every router of the API, in the order of its tags; each refuses query parameters that it does not know."""

from fastapi import APIRouter, Depends

from quietshift.app.api import access, alerts, covers, feeds, incidents, oncall, overrides, people, silences, system
from quietshift.app.api.shapes import known_query

api = APIRouter(dependencies=[Depends(known_query)])
for room in (incidents, alerts, silences, overrides, covers, feeds, oncall, people, system, access):
    api.include_router(room.router)
