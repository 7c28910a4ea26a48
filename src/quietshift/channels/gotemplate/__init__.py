"""Go templates as Alertmanager has them: a small, safe interpreter. Pure: no file, no clock but the one it is given."""

from quietshift.channels.gotemplate.errors import TemplateError
from quietshift.channels.gotemplate.templates import Templates
from quietshift.channels.gotemplate.values import Data

__all__ = ["Data", "TemplateError", "Templates"]
