"""Who visits a page, and what may be written into its forms."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Form, Query, Request
from pydantic import StringConstraints

from quietshift.app.api.security import AppDep, Reader
from quietshift.app.web.frame import Frame
from quietshift.app.web.names import viewer
from quietshift.kernel.auth import Principal

MAX_TEXT = 20_000
_plain = StringConstraints(max_length=MAX_TEXT, pattern=r"^[^\x00]*$")
_short = StringConstraints(max_length=500, pattern=r"^[^\x00]*$")
FormText = Annotated[str, Form(), _plain]
FormWord = Annotated[str, Form(), _short]
QueryText = Annotated[str, Query(), _short]


async def the_frame(request: Request) -> Frame:
    frame = request.app.state.frame
    assert isinstance(frame, Frame)
    return frame


FrameDep = Annotated[Frame, Depends(the_frame)]


def visitor(request: Request, app: AppDep, principal: Reader) -> Principal:
    """Somebody who is signed in and may read; the page's frame shows who."""
    request.state.viewer = viewer(principal, app.ops.current)
    return principal


Visitor = Annotated[Principal, Depends(visitor)]
