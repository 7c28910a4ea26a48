"""Every page's router, in order."""

from fastapi import APIRouter

from quietshift.app.web import ack, alerts, doors, home, incidents, live, me, silences

pages = APIRouter()
for page in (home, incidents, alerts, silences, me, ack, doors, live):
    pages.include_router(page.router)
