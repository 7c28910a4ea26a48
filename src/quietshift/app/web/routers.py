"""Every page's router, in order."""

from quietshift.app.web import ack, alerts, doors, home, incidents, live, me

ALL = [home.router, incidents.router, alerts.router, me.router, ack.router, doors.router, live.router]
