"""`[users]`: who may view the dashboard and who may act there. It holds password hashes, not passwords."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from marshmallow import ValidationError

from connector.settings.errors import ConfigErrors, validate_table
from mappings import setting_fields as fields
from mappings.setting_fields import OneOf
from mappings.settings import SettingsSchema

ROLES = ("viewer", "operator")
#: The name of the user who signs in with ADMIN_TOKEN.
ADMIN = "admin"
#: The format of `werkzeug.security.generate_password_hash`: method, salt, hash.
PASSWORD_HASH = re.compile(r"(scrypt|pbkdf2)(:[a-z0-9]+)+\$[^$\s]+\$[0-9a-f]+", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """A user of the dashboard. A viewer may only read; an operator may also act."""

    name: str
    password_hash: str = field(repr=False)
    role: Literal["viewer", "operator"] = "viewer"


class PasswordHash(fields.String):
    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> str:
        text: str = super()._deserialize(value, *args, **kwargs)
        if not PASSWORD_HASH.fullmatch(text):
            raise ValidationError("must be the output of `connector user hash`, not the password itself.")
        return text


def validate_user_name(name: str) -> None:
    if not name.isprintable() or name != name.strip() or not 1 <= len(name) <= 64:
        raise ValidationError("the table's name must be 1 to 64 printable characters.")
    if name == ADMIN:
        raise ValidationError(f"“{ADMIN}” is reserved for signing in with ADMIN_TOKEN; choose another name.")


class UserSchema(SettingsSchema):
    model = User

    name = fields.String(required=True, validate=validate_user_name)
    password_hash = PasswordHash(required=True)
    role = fields.String(validate=OneOf(ROLES))


def build_users(tables: Mapping[str, Any], errors: ConfigErrors) -> dict[str, User]:
    """Return the users by name. Adds the errors of their tables."""
    users = {
        name: validate_table(UserSchema(), {**table, "name": name}, ("users", name), errors)
        for name, table in tables.items()
    }
    return users
