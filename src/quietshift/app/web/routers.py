"""Every page's router, in order."""

from fastapi import APIRouter

from quietshift.app.web import ack, alerts, doors, feeds, home, incidents, live, me, schedules, silences, whatif

pages = APIRouter()
for page in (home, schedules, feeds, incidents, alerts, silences, whatif, me, ack, doors, live):
    pages.include_router(page.router)
