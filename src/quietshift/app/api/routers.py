"""Every router of the API, in the order of its tags."""

from quietshift.app.api import access, incidents, oncall, people, system

ALL = [incidents.router, oncall.router, people.router, system.router, access.router]
