"""Accounts and API tokens: what administrators give and take."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path
from pydantic import BaseModel, Field

from quietshift.app.api.problems import documented
from quietshift.app.api.security import Admin, AppDep, Reader
from quietshift.app.api.shapes import Body, InstantIn, InstantOut, Word, instant_out
from quietshift.catalog.model import Catalog
from quietshift.kernel import access
from quietshift.kernel import auth_store as store
from quietshift.kernel.auth_store import Account, ApiToken
from quietshift.kernel.clock import rfc3339

router = APIRouter(prefix="/api/v1", tags=["access"], responses=documented(404, 409))
Role = Literal["viewer", "responder", "admin"]
Scope = Literal["ingest", "read", "respond", "admin"]
AccountName = Annotated[
    str, Path(min_length=1, max_length=128, pattern=r"^[^\x00]+$", description="Name of a User in the catalog.")
]  # fmt: skip


class WhoOut(BaseModel):
    """Who this token or session is."""

    actor: str = Field(description="As the journal names it.", examples=["user:ana", "token:ci"])
    user: str | None
    role: Role
    scopes: list[Scope]


class AccountOut(BaseModel):
    """Somebody who may sign in."""

    name: str
    role: Role
    created_at: InstantOut
    disabled_at: InstantOut | None
    in_catalog: bool = Field(description="false: the catalog knows them no longer, so they cannot sign in.")


class InviteIn(Body):
    name: Word = Field(description="Name of a User in the catalog.")
    role: Role = "responder"


class InviteOut(BaseModel):
    """A link by which a person sets a password. It is shown once."""

    url: str
    name: str
    role: Role
    expires_at: InstantOut


class AccountIn(Body):
    role: Role | None = None
    disabled: bool | None = None


class TokenIn(Body):
    name: Word = Field(pattern=r"^[a-z0-9]([a-z0-9._-]{0,61}[a-z0-9])?$", examples=["prometheus-fra"])
    scopes: list[Scope] = Field(min_length=1, max_length=4)
    expires_at: InstantIn | None = Field(None, description="null: it does not expire.")


class TokenOut(BaseModel):
    """A token without its secret."""

    id: str
    name: str
    scopes: list[Scope]
    created_at: InstantOut
    created_by: str
    expires_at: InstantOut | None
    last_used_at: InstantOut | None = Field(description="To five minutes.")
    revoked_at: InstantOut | None


class NewTokenOut(TokenOut):
    """A token with its secret, which is shown this once."""

    token: str


@router.get("/whoami", response_model=WhoOut, summary="Who this token or session is, and what it may do")
def who_am_i(_app: AppDep, who: Reader) -> dict[str, Any]:
    return {"actor": who.actor, "user": who.user, "role": who.role, "scopes": sorted(who.scopes)}


# -- accounts ------------------------------------------------------------------------------------------------------------


@router.get("/accounts", response_model=list[AccountOut], summary="Who may sign in")
def list_accounts(app: AppDep, _who: Admin) -> list[dict[str, Any]]:
    known = _known(app)
    with app.db.read() as tx:
        return [_account(account, known) for account in store.all_accounts(tx)]


@router.post("/accounts", response_model=InviteOut, status_code=201, summary="Invite somebody, or reset their password")
def invite_account(app: AppDep, who: Admin, body: InviteIn) -> dict[str, Any]:
    with app.db.write() as tx:
        secret, expires_at = access.invite(tx, body.name, body.role, who.actor, app.clock.now(), _known(app))
    url = app.settings.base_url + access.link_path(secret)
    return {"url": url, "name": body.name, "role": body.role, "expires_at": rfc3339(expires_at)}


@router.patch("/accounts/{name}", response_model=AccountOut, summary="Change a role, lock somebody out or let them in again")
def change_account(app: AppDep, who: Admin, name: AccountName, body: AccountIn) -> dict[str, Any]:
    now = app.clock.now()
    with app.db.write() as tx:
        if body.disabled is not None:
            (access.disable if body.disabled else access.enable)(tx, name, who.actor, now)
        if body.role is not None:
            access.change_role(tx, name, body.role, who.actor, now)
        return _account(access.get_account(tx, name), _known(app))


def _known(app: AppDep) -> set[str]:
    return {user.id for user in app.ops.current.get(Catalog).users}


def _account(account: Account, known: set[str]) -> dict[str, Any]:
    return {
        "name": account.name, "role": account.role, "created_at": rfc3339(account.created_at),
        "disabled_at": instant_out(account.disabled_at), "in_catalog": account.name in known,
    }  # fmt: skip


# -- tokens --------------------------------------------------------------------------------------------------------------


@router.get("/tokens", response_model=list[TokenOut], summary="API tokens, the newest first")
def list_tokens(app: AppDep, _who: Admin) -> list[dict[str, Any]]:
    with app.db.read() as tx:
        return [_token(token) for token in store.tokens(tx)]


@router.post("/tokens", response_model=NewTokenOut, status_code=201, summary="Make an API token")
def create_token(app: AppDep, who: Admin, body: TokenIn) -> dict[str, Any]:
    with app.db.write() as tx:
        made, secret = access.create_token(tx, body.name, body.scopes, body.expires_at, who.actor, app.clock.now())
    return _token(made) | {"token": secret}


@router.delete("/tokens/{token}", response_model=TokenOut, summary="Revoke an API token, by its id or name")
def revoke_token(
    app: AppDep, who: Admin, token: Annotated[str, Path(min_length=1, max_length=63, pattern=r"^[a-z0-9._-]+$")]
) -> dict[str, Any]:
    with app.db.write() as tx:
        return _token(access.revoke_token(tx, token, who.actor, app.clock.now()))


def _token(token: ApiToken) -> dict[str, Any]:
    return {
        "id": token.id, "name": token.name, "scopes": list(token.scopes), "created_at": rfc3339(token.created_at),
        "created_by": token.created_by, "expires_at": instant_out(token.expires_at),
        "last_used_at": instant_out(token.last_used_at), "revoked_at": instant_out(token.revoked_at),
    }  # fmt: skip
