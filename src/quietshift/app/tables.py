"""Every room's tables, on the one metadata: imported where the schema is made or compared."""

from quietshift.alerts import tables as alerts
from quietshift.incidents import store as incidents
from quietshift.kernel import auth_store, schema
from quietshift.oncall import cover_store as covers
from quietshift.oncall import feeds
from quietshift.oncall import store as oncall
from quietshift.paging import tables as paging
from quietshift.runbooks import store as runbooks

metadata = schema.metadata

__all__ = ["alerts", "auth_store", "covers", "feeds", "incidents", "metadata", "oncall", "paging", "runbooks"]
